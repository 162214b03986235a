"""The forms of the pages, found by reading the pages, and odd ways to send them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from random import Random
from urllib.parse import quote_plus, urljoin, urlsplit

import httpx

from tests.web.fuzz import odd

MOST_PAGES = 60
BOUNDARY = b"an-odd-boundary"
# In an address or a form, bytes that no text has: UTF-8 cut off, half a surrogate pair, an escape cut off.
BYTES = (b"%ff%fe", b"%ed%a0%80", b"%", b"%u0041", b"\xc3", b"\x00", b"%00", b"+" * 5000)


@dataclass
class Form:
    """Fields as the page has them, in order; a name may come more than once."""

    action: str
    is_multipart: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Page(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.links: set[str] = set()
        self.forms: list[Form] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "a" and "href" in found and "download" not in found:
            self.links.add(urljoin(self.address, found["href"]).partition("#")[0])
        elif tag == "form":
            self._form = Form(
                urljoin(self.address, found.get("action", "")), found.get("enctype") == "multipart/form-data"
            )
            if found.get("method", "").lower() == "post":
                self.forms.append(self._form)
        elif tag in ("input", "textarea", "select", "button") and self._form and "name" in found:
            self._form.fields.append((found["name"], found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


def crawl(client: httpx.Client) -> Iterator[Form]:
    """Every form that posts, of the pages that links lead to; of many alike, that of the first page."""
    waiting = ["/", "/runs/new", "/imports/new", "/datasets", "/experiments"]  # before the many pages of runs
    seen, known = set(waiting), set[str]()
    for _ in range(MOST_PAGES):
        if not waiting:
            return
        address = waiting.pop(0)
        answer = client.get(address)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        page = _Page(address)
        page.feed(answer.text)
        for form in page.forms:
            if form.action not in known:
                known.add(form.action)
                yield form
        fresh = sorted(link for link in page.links - seen if urlsplit(link).netloc == "" and link.startswith("/"))
        seen.update(fresh)
        waiting += fresh


def choose(forms: list[Form], random: Random) -> Form:
    """Each kind of form as often as any other, deletions seldom: something has to be left."""
    kinds: dict[str, list[Form]] = {}
    for form in forms:
        kinds.setdefault(re.sub(r"\d+", "1", form.action), []).append(form)
    kind = random.choice(sorted(kinds))
    if kind.endswith("/delete") and random.random() < 0.9:
        kind = "/runs/new"
    return random.choice(kinds[kind])


def send(client: httpx.Client, form: Form, random: Random) -> httpx.Response:
    """With one thing or several odd about it; the form's token stays, so that the answer is not always "not ours"."""
    fields = _odd(form.fields, random)
    action = form.action if random.random() < 0.95 else f"{form.action}?{quote_plus(odd.text(random)[:2000])}"
    if form.is_multipart is (random.random() < 0.95):
        content, kind = _multipart(fields, random), f"multipart/form-data; boundary={BOUNDARY.decode()}"
    else:
        content, kind = _urlencoded(fields, random), "application/x-www-form-urlencoded"
    if random.random() < 0.03:
        kind = odd.text(random).encode("ascii", "ignore").decode().replace("\0", "").replace("\r\n", "")[:200]
        kind = " ".join("".join(letter for letter in kind if letter.isprintable()).split())
    headers = {"content-type": kind, "accept": random.choice(("text/html", "*/*"))}
    return client.post(action, content=content, headers=headers)


def _odd(fields: list[tuple[str, str]], random: Random) -> list[tuple[str, str]]:
    made = [(name, text) for name, text in fields if name == "_token" or random.random() < 0.95]
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        places = [i for i, (name, _) in enumerate(made) if name != "_token"]
        match random.randrange(8):
            case 0:
                made.append((odd.text(random)[:3000], odd.text(random)))
            case 1 if places:
                made += [made[random.choice(places)]] * random.choice((2, 1200))
            case 2:
                made.append(
                    (random.choice(("run", "clone", "axes.lora.r", "runs", "column.0", "header.9")), "9" * 5000)
                )
            case _ if places:
                place = random.choice(places)
                made[place] = (made[place][0], odd.text(random))
    return made


def _urlencoded(fields: list[tuple[str, str]], random: Random) -> bytes:
    whole = "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in fields).encode()
    if random.random() < 0.1:
        whole += b"&name=" + random.choice(BYTES) + b"&" + random.choice(BYTES)
    return whole


def _multipart(fields: list[tuple[str, str]], random: Random) -> bytes:
    parts = [_part(name.encode(), text.encode(), random) for name, text in fields]
    whole = b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"
    return whole[: random.randrange(len(whole))] if random.random() < 0.05 else whole


def _part(name: bytes, text: bytes, random: Random) -> bytes:
    named = name.replace(b'"', b"%22").replace(b"\r", b"").replace(b"\n", b"")
    if random.random() < 0.02:
        named += b"\xed\xa0\x80"
    if random.random() < 0.02:
        text += b"\xff\xed\xa0\x80"
    filename = b""
    if name == b"file" and random.random() < 0.7:
        chosen = random.choice((b"rows.jsonl", b"runs.csv", b"\xff.json", b"../../x.csv", b"a\x00b.jsonl", b"x" * 300))
        filename = b'; filename="' + chosen + b'"'
        text = random.choice((b'{"prompt": "a", "response": "b"}\n', b"name,perplexity\nA,1e999\n", text))
    head = b'Content-Disposition: form-data; name="' + named + b'"' + filename
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + text + b"\r\n"
