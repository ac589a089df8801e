/* Serves the harbour over TCP and UDP, registered nowhere: server PORT. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harbour.h"

extern void harbour_2(struct svc_req *request, SVCXPRT *transport);

int *add_2_svc(numbers *given, struct svc_req *request)
{
    static int sum;

    sum = 0;
    for (u_int i = 0; i < given->numbers_len; i++)
        sum += given->numbers_val[i];
    return &sum;
}

entry *echo_entry_2_svc(entry *given, struct svc_req *request)
{
    return given;
}

block *echo_2_svc(block *given, struct svc_req *request)
{
    return given;
}

void *fail_2_svc(void *given, struct svc_req *request)
{
    svcerr_systemerr(request->rq_xprt);
    return NULL;
}

u_int *tell_uid_2_svc(void *given, struct svc_req *request)
{
    static u_int uid;

    if (request->rq_cred.oa_flavor != AUTH_SYS) {
        svcerr_weakauth(request->rq_xprt);
        return NULL;
    }
    uid = ((struct authunix_parms *)request->rq_clntcred)->aup_uid;
    return &uid;
}

static int bound(int kind, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int made = socket(AF_INET, kind, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(made, (struct sockaddr *)&address, sizeof address))
        exit(1);
    return made;
}

int main(int count, char **arguments)
{
    int port = atoi(arguments[1]);
    int udp = bound(SOCK_DGRAM, port), tcp = bound(SOCK_STREAM, port);

    if (listen(tcp, 16)) /* which svctcp_create() does not do */
        return 1;
    if (!svc_register(svcudp_create(udp), HARBOUR, HARBOUR_V2, harbour_2, 0))
        return 1;
    if (!svc_register(svctcp_create(tcp, 0, 0), HARBOUR, HARBOUR_V2, harbour_2, 0))
        return 1;
    svc_run();
    return 1;
}
