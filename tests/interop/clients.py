"""Sends the message on standard input over each protocol and extension that smtplib knows, and prints for each copy
what its Received and X-Original-To fields should say.

    clients.py SMTP-PORT LMTP-PORT LMTP-SOCKET
"""

import smtplib
import ssl
import sys

smtp_port, lmtp_port, lmtp_socket = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
text = sys.stdin.buffer.read()
sender, info, utf8 = "sender@client.test", "info@example.org", "grüße@example.org"
anyone = ssl.create_default_context()
anyone.check_hostname = False
anyone.verify_mode = ssl.CERT_NONE


def connect(kind, *where):
    client = kind(*where, local_hostname="client.test", timeout=60)
    client.ehlo_or_helo_if_needed()
    return client


def arrives(protocol, recipient):
    print(protocol, recipient)


with connect(smtplib.SMTP, "127.0.0.1", smtp_port) as client:
    for extension in "pipelining", "size", "8bitmime", "smtputf8", "chunking", "enhancedstatuscodes", "starttls", "dsn":
        assert client.has_extn(extension), extension
    client.sendmail(sender, info, text, mail_options=["BODY=8BITMIME"])  # and SIZE, of its own accord
    arrives("ESMTP", info)
    client.sendmail(sender, info, text, rcpt_options=["NOTIFY=NEVER"])
    arrives("ESMTP", info)

    # RFC 6531: an address that is not ASCII, from one that is not.
    client.command_encoding = "utf-8"
    assert client.mail("jürgen@client.test", ["SMTPUTF8", "BODY=8BITMIME"])[0] == 250
    assert client.rcpt(utf8)[0] == 250
    assert client.data(text)[0] == 250
    arrives("UTF8SMTP", utf8)

    # RFC 3030: in three chunks, cut in the middle of lines.
    client.command_encoding = "ascii"
    assert client.mail(sender)[0] == 250
    assert client.rcpt(info)[0] == 250
    third = len(text) // 3
    for chunk, last in (text[:third], ""), (text[third : 2 * third], ""), (text[2 * third :], " LAST"):
        client.putcmd(f"BDAT {len(chunk)}{last}")
        client.send(chunk)
        reply = client.getreply()
        assert reply[0] == 250, reply
    arrives("ESMTP", info)

    # An unknown recipient costs only itself.
    refused = client.sendmail(sender, [info, "nobody@example.org"], text)
    assert refused["nobody@example.org"][0] == 550, refused
    arrives("ESMTP", info)
    assert client.verify(info)[0] == 252
    assert client.noop()[0] == 250 and client.rset()[0] == 250 and client.docmd("HELP")[0] == 214

with connect(smtplib.SMTP, "127.0.0.1", smtp_port) as client:
    client.starttls(context=anyone)
    client.ehlo()
    assert not client.has_extn("starttls")
    client.sendmail(sender, info, text)
    arrives("ESMTPS", info)

for where in ("127.0.0.1", lmtp_port), (lmtp_socket,):
    with connect(smtplib.LMTP, *where) as client:
        client.sendmail(sender, info, text)
        arrives("LMTP", info)
        try:
            client.sendmail(sender, "nobody@example.org", text)
        except smtplib.SMTPRecipientsRefused as refused:
            assert refused.recipients["nobody@example.org"][0] == 550, refused.recipients
        else:
            raise AssertionError("LMTP took an unknown recipient")
