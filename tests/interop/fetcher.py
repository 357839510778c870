"""Fetches with Python's poplib: fetcher.py PORT plain|stls|tls PASSWORD OUT keep|delete."""
import poplib
import ssl
import sys

port, security, password, out, after = sys.argv[1:]
# It refuses lines that RFC 5322 does not allow; these tests send some.
poplib._MAXLINE = 100_000
trusting = ssl.create_default_context()
trusting.check_hostname = False
trusting.verify_mode = ssl.CERT_NONE
if security == "tls":
    box = poplib.POP3_SSL("127.0.0.1", int(port), context=trusting, timeout=60)
else:
    box = poplib.POP3("127.0.0.1", int(port), timeout=60)
if security == "stls":
    box.stls(context=trusting)
assert "STLS" not in box.capa() or security == "plain"
box.utf8()
box.user("alice@example.org")
box.pass_(password)
count, octets = box.stat()
sizes = [int(line.split()[1]) for line in box.list()[1]]
uids = [line.split()[1] for line in box.uidl()[1]]
assert len(sizes) == len(set(uids)) == count and sum(sizes) == octets
for number, size in enumerate(sizes, 1):
    _, lines, _ = box.retr(number)
    text = b"".join(line + b"\n" for line in lines)
    assert len(text) + text.count(b"\n") == size, (len(text), size)
    _, top, _ = box.top(number, 0)
    assert lines[: len(top)] == top and top[-1] == b""
    with open(f"{out}/{number}", "wb") as file:
        file.write(text)
    if after == "delete":
        box.dele(number)
box.quit()
