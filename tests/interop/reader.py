"""Reads the mailbox of ACCOUNT over IMAP until COUNT messages were seen; writes each into a file of FOLDER.

    reader.py PORT ACCOUNT COUNT FOLDER

The server's RFC822.SIZE of each message has to be the size of its text.
"""

import imaplib
import pathlib
import re
import sys
import time

port, account, count, folder = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
deadline = time.monotonic() + 120
imap = imaplib.IMAP4("127.0.0.1", port)
imap.login(account, "secret")
seen = set()
while len(seen) < count:
    assert time.monotonic() < deadline, f"{len(seen)} of {count} messages"
    imap.select("INBOX")
    unseen = imap.uid("search", None, "UNSEEN")[1][0].split()
    for uid in unseen:
        answer = imap.uid("fetch", uid, "(RFC822.SIZE BODY.PEEK[])")[1][0]
        text = answer[1]
        size = int(re.search(rb"RFC822.SIZE (\d+)", answer[0]).group(1))
        assert size == len(text), f"{uid}: {size} told, {len(text)} sent"
        assert uid not in seen, f"{uid} was unseen twice"
        (folder / uid.decode()).write_bytes(text)
        seen.add(uid)
    if unseen:
        imap.uid("store", b",".join(unseen), "+FLAGS", "(\\Seen)")
    else:
        time.sleep(0.02)
imap.close()
imap.logout()
