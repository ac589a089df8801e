/* Calls the harbour: client tcp|udp PORT NAME [VALUE]; prints the result, or why there is none.
   Port 0: ask the portmapper. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harbour.h"

static const struct timeval interval = {0, 300000}, total = {5, 0};

static CLIENT *connected(const char *transport, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int any = RPC_ANYSOCK;
    CLIENT *made;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!strcmp(transport, "udp"))
        made = clntudp_create(&address, HARBOUR, HARBOUR_V2, interval, &any);
    else
        made = clnttcp_create(&address, HARBOUR, HARBOUR_V2, &any, 0, 0);
    if (!made) {
        clnt_pcreateerror("client");
        exit(2);
    }
    clnt_control(made, CLSET_TIMEOUT, (char *)&total);
    return made;
}

static void *expected(CLIENT *client, void *result)
{
    if (!result) {
        puts(clnt_sperror(client, "client"));
        exit(1);
    }
    return result;
}

/* Add the numbers 1 to n. */
static void add(CLIENT *client, int n)
{
    int values[100];
    numbers given = {n, values};

    for (int i = 0; i < n && i < 100; i++)
        values[i] = i + 1;
    printf("%d\n", *(int *)expected(client, add_2(&given, client)));
}

static void echo(CLIENT *client, int size)
{
    block given = {size, malloc(size)}, *back;

    for (int i = 0; i < size; i++)
        given.block_val[i] = i;
    back = expected(client, echo_2(&given, client));
    puts(back->block_len == (u_int)size && !memcmp(back->block_val, given.block_val, size) ? "equal" : "different");
}

static void show(const entry *each)
{
    printf("%d %llx %s %g %d %02x%02x%02x", each->number, (unsigned long long)each->serial, each->name, each->depth,
           each->is_lit, each->flag[0] & 255, each->flag[1] & 255, each->flag[2] & 255);
    for (u_int i = 0; i < each->soundings.soundings_len; i++)
        printf(" %d", each->soundings.soundings_val[i]);
    if (each->hold.is == BOAT)
        printf(" load %.*s", each->hold.cargo_u.load.load_len, each->hold.cargo_u.load.load_val);
    puts("");
    if (each->next)
        show(each->next);
}

static void echo_entry(CLIENT *client)
{
    int soundings[] = {1, 2, -3};
    entry buoy = {-7, 0x1122334455667788, "buoy", -1.5, TRUE, {1, 2, (char)255}, {3, soundings}, {.is = BUOY}, NULL};
    entry boat = {8, 0xffffffffffffffff, "", 0, FALSE, {0, 0, 0}, {0, NULL}, {.is = BOAT}, &buoy};

    boat.hold.cargo_u.load.load_val = "salt";
    boat.hold.cargo_u.load.load_len = 4;
    show(expected(client, echo_entry_2(&boat, client)));
}

static void tell_uid(CLIENT *client, int groups)
{
    gid_t gids[16] = {0};

    if (groups >= 0)
        client->cl_auth = authunix_create("harbour", 1000, 100, groups, gids);
    printf("%u\n", *(u_int *)expected(client, tell_uid_2(NULL, client)));
}

/* Call any procedure without arguments, whatever it takes. */
static void call(CLIENT *client, int procedure)
{
    if (clnt_call(client, procedure, (xdrproc_t)xdr_void, NULL, (xdrproc_t)xdr_void, NULL, total) != RPC_SUCCESS)
        expected(client, NULL);
    puts("done");
}

int main(int count, char **arguments)
{
    CLIENT *client = connected(arguments[1], atoi(arguments[2]));
    const char *name = arguments[3];
    int value = count > 4 ? atoi(arguments[4]) : -1;

    if (!strcmp(name, "add"))
        add(client, value);
    else if (!strcmp(name, "echo"))
        echo(client, value);
    else if (!strcmp(name, "echo_entry"))
        echo_entry(client);
    else if (!strcmp(name, "tell_uid"))
        tell_uid(client, value);
    else
        call(client, value);
    clnt_destroy(client);
    return 0;
}
