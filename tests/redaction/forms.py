"""Messages with a secret in them, in each form that is known by default."""

from __future__ import annotations

__all__ = ["FORMS", "SECRET"]

SECRET = b"hunt7zqXw"
FORMS = {
    "authorization": b"GET / HTTP/1.1\r\nAuthorization: Basic %s\r\nHost: x\r\n\r\n",
    "proxy_authorization": b'GET / HTTP/1.1\r\nproxy-authorization: Digest response="%s"\r\n\r\n',
    "authorization_folded": b"GET / HTTP/1.1\r\nAuthorization: Basic\r\n\t%s\r\nHost: x\r\n\r\n",
    "authorization_on_the_next_line": b"GET / HTTP/1.1\r\nAuthorization:\r\n %s\r\nHost: x\r\n\r\n",
    "cookie": b"GET / HTTP/1.1\r\nCookie: a=b; sid=%s\r\n\r\n",
    "set_cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=%s; Path=/\r\n\r\n",
    "bearer": b"X-Upstream: Bearer %s\r\n\r\n",
    "smtp_plain": b"EHLO x\r\nAUTH PLAIN %s\r\nMAIL FROM:<a@b>\r\n",
    "smtp_plain_later": b"EHLO x\r\nAUTH PLAIN\r\n%s\r\nMAIL FROM:<a@b>\r\n",
    "smtp_login": b"AUTH LOGIN\r\ndXNlcg==\r\n%s\r\nMAIL FROM:<a@b>\r\n",
    "smtp_login_with_user": b"AUTH LOGIN dXNlcg==\r\n%s\r\nMAIL FROM:<a@b>\r\n",
    "smtp_scram": b"AUTH SCRAM-SHA-1 biwsbj11LHI9eA==\r\nYz1iaXdzLHI9eHk%sLHA9dHN0c3Q=\r\nMAIL FROM:<a@b>\r\n",
    "scram": b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=%s\r\nnext",
    "smtp_ntlm": b"AUTH NTLM\r\nTlRMTVNTUAABAAAA\r\nTlRMTVNTUAADAAAA%s\r\nMAIL FROM:<a@b>\r\n",
    "smtp_oauth": b"AUTH XOAUTH2 %s\r\nQUIT\r\n",
    "sieve": b'AUTHENTICATE "PLAIN" "%s"\r\nLOGOUT\r\n',
    "imap_login": b"a1 LOGIN user %s\r\na2 SELECT INBOX\r\n",
    "imap_literal": b"a1 LOGIN {4}\r\nuser {9}\r\n%s\r\na2 SELECT INBOX\r\n",
    "imap_plain": b"a1 AUTHENTICATE PLAIN %s\r\na2 SELECT INBOX\r\n",
    "imap_plain_later": b"a1 AUTHENTICATE PLAIN\r\n%s\r\na2 SELECT INBOX\r\n",
    "imap_auth_login": b"a1 AUTHENTICATE LOGIN\r\ndXNlcg==\r\n%s\r\na2 SELECT INBOX\r\n",
    "pop3": b"USER x\r\nPASS %s\r\nSTAT\r\n",
    "pop3_apop": b"APOP x %s\r\nSTAT\r\n",
    "redis": b"AUTH %s\r\nPING\r\n",
    "redis_with_user": b"AUTH user %s\r\nPING\r\n",
    "redis_hello": b"HELLO 3 AUTH user %s\r\nPING\r\n",
    "redis_array": b"*2\r\n$4\r\nAUTH\r\n$9\r\n%s\r\n*1\r\n$4\r\nPING\r\n",
    "redis_array_with_user": b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$9\r\n%s\r\n*1\r\n$4\r\nPING\r\n",
    "form": b"user=x&password=%s&next=/\r\n",
    "json": b'{"user": "x", "password": "%s", "next": "/"}\n',
    "json_in_json": b'{"body": "{\\"user\\": \\"x\\", \\"password\\": \\"%s\\", \\"next\\": 1}"}\n',
    "json_key": b'{"api_key": "%s", "next": "/"}\n',
    "query": b"GET /?api_key=%s&next=1 HTTP/1.1\r\n\r\n",
    "token": b"access_token=%s\r\nnext: 1\r\n",
    "connection_string": b"host=x user=y password='%s' dbname=z\n",
}
