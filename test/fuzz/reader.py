# An independent reader of the device protocol, written from docs/protocol.md alone, for a fuzz test that compares
# its verdicts with the gateway's. It never shares code or a parser with the gateway, never opens a file or a socket,
# and never knows the time or another connection: no timer, no `replaced`, no full queue, no limit of Kafka.
# One connection a line: {"connection":1,"bytes":"<base64>"} gives {"connection":1,"lines":[...]}. Or --self-test.
import base64
import json
import re
import sys
from json.encoder import encode_basestring as quote  # Escapes only the quote, the backslash and what is below U+0020.

LINE_BEFORE_IDENTIFY, LINE = 8192, 65536
TAGS, TAG_TEXT, TAG_DIGITS, TAGS_BYTES = 16, 256, 64, 2048
READINGS, MEMBERS, DIGITS, DEPTH, MAX_SEQ = 1000, 1024, 1024, 16, 9007199254740991

METHODS = b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI".split()
OTHERS = (b"\x16\x03", b"SSH-", b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n")
SMB = re.compile(rb"(?:\x00...)?[\xfd-\xff]SMB", re.DOTALL).match  # Perhaps behind the header of a NetBIOS session.
METHOD = re.compile(rb"(?:%s) " % b"|".join(METHODS), re.IGNORECASE).match
REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Z-]{1,32} +[^ ]+ +(?:HTTP|RTSP|SIP|ICAP)/[0-9]", re.IGNORECASE).match
TRIMMED = "\t\n\v\f\r \u00a0\u1680%s\u2028\u2029\u202f\u205f\u3000\ufeff" % "".join(map(chr, range(0x2000, 0x200B)))

# Python's own decoder recurses, takes NaN and loses the digits of numbers. These expressions are the grammar of
# RFC 8259 word for word. No part can match in two ways, so a refused line costs no more time than a good one.
WS = r"[ \t\n\r]*"
STRING = r'"([^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*)"'
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
ANY_VALUE = rf"(?:{STRING}|({NUMBER})|(true|false|null)|([\[{{])){WS}([,}}\]]?)"
MEMBER = re.compile(rf"{WS}{STRING}{WS}:{WS}{ANY_VALUE}").match
ITEM = re.compile(rf"{WS}(){ANY_VALUE}").match
CLOSER = re.compile(rf"{WS}([,}}\]]?)").match
IS_NUMBER = re.compile(NUMBER).fullmatch

# A Python string holds a surrogate only if the device wrote half of a pair.
HALF_PAIR = re.compile("[\ud800-\udfff]").search
GOOD_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}").fullmatch
GOOD_CITY = re.compile("[^\ud800-\udfff]{1,256}", re.DOTALL).fullmatch
GOOD_ZIPCODE = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}").fullmatch
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
GOOD_DEVICE_ID = re.compile("[A-Za-z0-9._:-]{1,64}").fullmatch


class Refused(Exception):
    def __init__(self, code, why, closes=False):
        super().__init__(code, why, closes)


def unescape(body):
    return json.loads(f'"{body}"') if "\\" in body else body


def scan(text):
    """The members of the one object in text, as (name, kind, value). A nested value is a list of the same form."""
    container, in_object, outer, after, position = [], False, [], ",", 0
    while after == ",":
        found = (MEMBER if in_object else ITEM)(text, position)
        if not found:
            break
        name, string, number, word, opener, after = found.groups()
        position = found.end()
        if string is not None:
            container.append((unescape(name), "string", unescape(string)))
        elif number is not None:
            container.append((unescape(name), "number", number))
        elif word is not None:
            container.append((unescape(name), "word", word))
        elif after == ",":
            break
        else:
            outer.append((container, in_object))
            container.append((unescape(name), opener, []))
            container, in_object, after = container[-1][2], opener == "{", after or ","
        while outer and after == ("}" if in_object else "]"):
            container, in_object = outer.pop()
            found = CLOSER(text, position)
            position, after = found.end(), found.group(1)
        if not outer:
            if after or position != len(text) or container[0][1] != "{":
                break
            return container[0][2]
    raise Refused("invalid_json", f"no JSON object: character {position}")


def pairs(text):
    """The members of a reading that is a string of pairs."""
    for pair in text.split(","):
        name, equals, value = (part.strip(TRIMMED) for part in pair.partition("="))
        if not equals:
            raise Refused("invalid_message", "a pair without =")
        yield name, "number" if IS_NUMBER(value) else "string", value


def reading(kind, value):
    """The reading as the record's data has it."""
    if kind not in ("string", "{"):
        raise Refused("invalid_message", "a reading is neither an object nor a string")
    members = value if kind == "{" else list(pairs(value))
    # Level by level, so that nothing here depends on how deep the line goes.
    count, depth, level = 0, 0, [("{", members)]
    while level:
        depth += 1
        count += sum(len(inside) for _, inside in level)
        if depth > DEPTH:
            raise Refused("invalid_message", f"nested more than {DEPTH} deep")
        level = [(inner, item) for _, inside in level for _, inner, item in inside if inner in ("{", "[")]
    if not members or count > MEMBERS:
        raise Refused("invalid_message", f"a reading of {count} members")
    return written("{", members)


def written(kind, value):
    """The text of a value of a reading, which is DEPTH deep at most."""
    if kind == "[":
        return "[" + ",".join(written(inner, item) for _, inner, item in value) + "]"
    if kind == "{":
        names = [name for name, _, _ in value]
        if len(set(names)) < len(names) or not all(map(GOOD_NAME, names)):
            raise Refused("invalid_message", f"a name of {names[:3]!a} is there twice, or is no name")
        return "{" + ",".join(f"{quote(name)}:{written(inner, item)}" for name, inner, item in value) + "}"
    if kind == "number" and len(value) > DIGITS or kind == "string" and HALF_PAIR(value):
        raise Refused("invalid_message", f"the value {value[:64]!a}")
    return quote(value) if kind == "string" else value


def metrics(fields):
    kind, value = fields.get("data", (None, None))
    items = value if kind == "[" else [("", kind, value)]
    if not 1 <= len(items) <= READINGS:
        raise Refused("invalid_message", f"{len(items)} readings")
    return [reading(item_kind, item) for _, item_kind, item in items]


def identify(fields):
    identity = []
    for name, good in (("zipcode", GOOD_ZIPCODE), ("city", GOOD_CITY), ("device_id", GOOD_DEVICE_ID),
                       ("token", lambda token: len(token) <= 1024)):
        kind, value = fields.get(name, (None, None))
        if not (kind == "string" and good(value) or kind is None and name in ("device_id", "token")):
            raise Refused("invalid_message", f"{name} is missing or not as it has to be")
        identity.append(value)
    zipcode, city, device_id, _ = identity
    return zipcode, CONTROLS.sub(" ", city), device_id, tags(fields)


def tags(fields):
    """The tags as each record has them, or None."""
    kind, members = fields.get("tags", (None, []))
    if kind not in (None, "{") or len(members) > TAGS:
        raise Refused("invalid_message", f"tags are {kind}")
    for name, kind, value in members:
        if kind in ("{", "[") or len(value) > {"string": TAG_TEXT, "number": TAG_DIGITS}.get(kind, 5):
            raise Refused("invalid_message", f"the tag {name[:64]!a}")
    text = written("{", members)
    if len(text.encode()) > TAGS_BYTES:
        raise Refused("invalid_message", f"tags of {len(text.encode())} bytes")
    return text if members else None


def read_seq(fields):
    kind, text = fields.get("seq", (None, ""))
    # int() of thousands of digits is slow, and newer versions of Python refuse it.
    plain = kind == "number" and len(text) <= 16 and text.isdigit() and int(text) <= MAX_SEQ
    return int(text) if plain else None


class Connection:
    def __init__(self):
        self.identity, self.last_seq, self.seq = None, -1, None

    def message(self, line):
        """The type of an accepted line and its readings. self.seq is the seq that its answer or its error carries."""
        if len(line) > (LINE if self.identity else LINE_BEFORE_IDENTIFY):
            raise Refused("line_too_long", f"{len(line)} bytes", closes=True)
        if not line.lstrip(b" \t\r").startswith(b"{"):
            raise Refused("invalid_json", "the first byte is no brace")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("invalid_utf8", f"byte {error.start}") from None
        members = scan(text)
        fields = {name: (kind, value) for name, kind, value in members}
        seq = read_seq(fields)
        if len(fields) < len(members):
            self.seq = seq if [name for name, _, _ in members].count("seq") == 1 else None
            raise Refused("invalid_message", "a key appears twice")
        self.seq = seq
        kind, type_name = fields.get("type", (None, None))
        if kind != "string" or type_name not in ("identify", "metrics", "keepalive", "time"):
            raise Refused("invalid_message", "no type, or one that is not known")
        if type_name == "identify":
            identity = identify(fields)
            self.seq = None
            if self.identity:
                raise Refused("already_identified", "a second identify")
            self.identity = identity
            return type_name, []
        if type_name == "metrics" and seq is None and "seq" in fields:
            raise Refused("invalid_message", "seq is no plain integer up to 2^53-1")
        readings = metrics(fields) if type_name == "metrics" else []
        if type_name in ("keepalive", "time"):
            self.seq = None
        if not self.identity:
            raise Refused("not_identified", f"{type_name} before identify", closes=True)
        if self.seq is not None:
            if seq <= self.last_seq:
                raise Refused("invalid_message", f"seq does not rise: {self.last_seq} was accepted")
            self.last_seq = seq
        return type_name, readings

    def judge(self, line):
        self.seq, readings, code, why, closes = None, [], None, "", False
        try:
            verdict, readings = self.message(line)
        except Refused as refused:
            verdict, (code, why, closes) = "refused", refused.args
        known = self.identity if verdict in ("identify", "metrics") else None
        zipcode, city, device_id, tags = known or (None, None, None, None)
        return {"verdict": verdict, "seq": self.seq, "readings": readings, "zipcode": zipcode, "city": city,
                "device_id": device_id, "tags": tags, "code": code, "why": why, "closes": closes}


def judge(data):
    """One entry for each line, up to the one that closes the connection."""
    connection, entries = Connection(), []
    *lines, rest = data.split(b"\n")
    for line in lines + [rest] if rest else lines:
        line = line[:-1] if line.endswith(b"\r") else line
        is_other = not entries and (data.startswith(OTHERS) or SMB(data) or METHOD(data))
        if not connection.identity and len(line) <= LINE_BEFORE_IDENTIFY:
            request = line.lstrip(b" \t\v\f\r\xa0")
            is_other = is_other or METHOD(request) or REQUEST(request)
        entries.append(connection.judge(line))
        if is_other:
            entries[-1].update(verdict="refused", code=None, why="another protocol", closes=True)
        if entries[-1]["closes"]:
            break
    return entries


ID = b'{"type":"identify","zipcode":"90210","city":"X"}\n'
BAD, NO_JSON, NO_UTF8, LONG, OTHER = "invalid_message", "invalid_json", "invalid_utf8", "line_too_long!", "None!"
# What stands for `data` in a message behind ID, and the readings that have to come out of it, or the code.
DATA = {
    b'{"t":1}': '{"t":1}', b'\t{ "t" :\r 1 , "u" : null }': '{"t":1,"u":null}', b'{"2":1,"1":2}': '{"2":1,"1":2}',
    b'{"t":1.50}': '{"t":1.50}', b'{"t":-0}': '{"t":-0}', b'{"t":1E+400}': '{"t":1E+400}', b'{"t":-.5}': NO_JSON,
    b'{"t":12345678901234567890}': '{"t":12345678901234567890}', b'{"t":01}': NO_JSON, b'{"t":1.}': NO_JSON,
    b'{"t":+1}': NO_JSON, b'{"t":NaN}': NO_JSON, b'{"t":-Infinity}': NO_JSON, b'{"t":0x1}': NO_JSON,
    b'{"t":1e}': NO_JSON, b'{"t":True}': NO_JSON, b"{'t':1}": NO_JSON, b'{"t":1,}': NO_JSON, b'{,"t":1}': NO_JSON,
    b'[1,]': NO_JSON, b'[,1]': NO_JSON, b'{"t"}': NO_JSON, b'{"t":}': NO_JSON, b'{"t":1]': NO_JSON, b'1//': NO_JSON,
    b'{"t":\xc2\xa01}': NO_JSON, b'{"t":\x0c1}': NO_JSON, b'{"t":"\t"}': NO_JSON, b'{"t":"\x00"}': NO_JSON,
    b'{"t":"\\x"}': NO_JSON, b'{"t":"\\u12g4"}': NO_JSON, b'{"t":"\\u123"}': NO_JSON, b'{"t":"\x7f"}': '{"t":"\x7f"}',
    b'{"t":"\\u00e9\\/\\t\\u001F\\u007f"}': '{"t":"\u00e9/\\t\\u001f\x7f"}', b'{"t":"\\ud83d"}': BAD,
    b'{"t":"\\ud83d\\ude00"}': '{"t":"\U0001f600"}', b'{"\\udc00":1}': BAD, b'{"t":"\\udc00\\ud800"}': BAD,
    b'{"t":"\xff"}': NO_UTF8, b'{"t":"\xed\xa0\x80"}': NO_UTF8, b'{"t":"\xc0\xaf"}': NO_UTF8,
    b'{"t":"\xf4\x90\x80\x80"}': NO_UTF8, b'{"t":"\xef\xbb\xbf"}': '{"t":"\ufeff"}', b'{"t":1,"\\u0074":1}': BAD,
    b'{"t":{}}': '{"t":{}}', b'{"t":[]}': '{"t":[]}', b'{"t":[ { "a" : [ ] , "b":1.50 } ,\r-0 ]}': '{"t":[{"a":[],"b":1.50},-0]}',
    b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}': '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', b'{}': BAD,
    b'{"t":{"a":1,"a":2}}': BAD, b'{"t":[{"a":1,"\\u0061":2}]}': BAD, b'{"t":{"":1}}': BAD, b'{"t":["\\ud800"]}': BAD,
    b'{"t":[%s1]}' % (b"1," * 1022): '{"t":[%s1]}' % ("1," * 1022), b'{"t":[%s1]}' % (b"1," * 1023): BAD,
    b'{"t":%s%s}' % (b"[" * 15, b"]" * 15): '{"t":%s%s}' % ("[" * 15, "]" * 15), b'{"t":%s%s}' % (b"[" * 16, b"]" * 16): BAD,
    b'%s1%s' % (b'{"a":' * 16, b"}" * 16): "%s1%s" % ('{"a":' * 16, "}" * 16), b'%s1%s' % (b'{"a":' * 17, b"}" * 17): BAD,
    b'{"t":["%s",1%s]}' % (b"v" * 5000, b"0" * 1023): '{"t":["%s",1%s]}' % ("v" * 5000, "0" * 1023), b'{"t":[1%s]}' % (b"0" * 1024): BAD, b'[]': BAD, b'[[{"t":1}]]': BAD, b'1': BAD, b'null': BAD,
    b'{"":1}': BAD, b'{"\\n":1}': BAD, b'{"a\\u0085":1}': BAD, b'[{"t":1},{}]': BAD,
    b'{"__proto__":1}': '{"__proto__":1}', b'"a=1, a=2"': BAD, b'"a=\\ud800"': BAD, b'"a=\\u00a01"': '{"a":1}',
    b'{"%s":1}' % (b"\\ud83d\\ude00" * 64): '{"%s":1}' % ("\U0001f600" * 64), b'{"%s":1}' % (b"n" * 65): BAD,
    b'{"t":1%s}' % (b"0" * 1023): '{"t":1%s}' % ("0" * 1023), b'{"t":1%s}' % (b"0" * 1024): BAD,
    b'{"t":"%s"}' % (b"\\n" * 1024): '{"t":"%s"}' % ("\\n" * 1024), b'{"t":"%s"}' % (b"v" * 60000): '{"t":"%s"}' % ("v" * 60000),
    b'[%s"t=1"]' % (b'"t=1",' * 999): " ".join(['{"t":1}'] * 1000), b'[%s"t=1"]' % (b'"t=1",' * 1000): BAD,
    b'[' * 30000 + b']' * 30000: BAD, b'[' * 60000: NO_JSON, b'[{"t":1},"u=x"]': '{"t":1} {"u":"x"}',
    b'{%s}' % b",".join(b'"%d":1' % n for n in range(1024)): "{%s}" % ",".join(f'"{n}":1' for n in range(1024)),
    b'{%s}' % b",".join(b'"%d":1' % n for n in range(1025)): BAD, b'""': BAD, b'"a"': BAD, b'"a=1,"': BAD, b'"=1"': BAD,
    b'" a = 1e3 ,b=true,c=,d=x=y,e=01,f=\\""': '{"a":1e3,"b":"true","c":"","d":"x=y","e":"01","f":"\\""}'}
# Whole connections: verdict or code of each line, with its seq, and "!" where it closes the connection.
WHOLE = {
    b"": "", b"\n": NO_JSON, b"\r\n \n": f"{NO_JSON},{NO_JSON}", ID[:-1]: "identify", ID[:-2]: NO_JSON,
    ID + ID[:-2] + b',"seq":1}': "identify,already_identified", b"\xef\xbb\xbf" + ID: NO_JSON,
    b"[]\n" + ID: f"{NO_JSON},identify", b"{}{}": NO_JSON, b"{},": NO_JSON, b"{}": BAD,
    b"\r\n\r\n\x00\r\nQUIT\n!": OTHER, b"\r\n\r\n": f"{NO_JSON},{NO_JSON}",
    b'{"type":"keepalive"}\n' + ID: "not_identified!", b'{"type":"time"}\n' + ID: "not_identified!",
    b'{"type":"keepalive","seq":1}\n': "not_identified!",
    ID + b'{"type":"time","seq":1}\n{"type":"Time"}': f"identify,time,{BAD}", b'{"type":"metrics"}\n' + ID: f"{BAD},identify",
    b'{"type":"metrics","seq":3,"data":"a=1"}': "not_identified3!", b'{"Type":"identify"}\n{"type":1}': f"{BAD},{BAD}",
    b" " * 8192 + b"\r\n": NO_JSON, b" " * 8193 + b"\n" + ID: LONG, b" " * 8193: LONG, b"SSH-2.0-x\r\n": OTHER,
    ID + b" " * 65536 + b"\r\n": f"identify,{NO_JSON}", ID + b" " * 65537 + b"\n\n": f"identify,{LONG}",
    b"GET / HTTP/1.1\r\n\r\n": OTHER, b"\x16\x03\x01": OTHER, b"PROXY TCP4 ": OTHER, b"\x00\x00\x00\x85\xffSMB": OTHER,
    b"GETS\n": NO_JSON, ID + b"GET / \n": f"identify,{NO_JSON}",
    ID + b'{"x":[{"a":1,"a":2},%s{"y":"\\ud800"}%s],"type":"keepalive"}' % (b"[" * 9000, b"]" * 9000):
    "identify,keepalive",
    ID + b'{"type":"keepalive","x":1,"x":1}\n{"t\\u0079pe":"keepalive"}': f"identify,{BAD},keepalive",
    ID + b"".join(b'{"type":"metrics","data":"a=%s","seq":%s}\n' % case for case in [
        (b"1", b"0"), (b"1", b"0"), (b"\\ud800", b"9"), (b"1", b"7"), (b"1", b"1.0"), (b"1", b"-1"), (b"1", b'"8"'),
        (b"1", b"9007199254740991"), (b"1", b"9007199254740992"), (b"1", b"9" * 9000), (b"1", b"null")]):
    f"identify,metrics0,{BAD}0,{BAD}9,metrics7,{BAD},{BAD},{BAD},metrics9007199254740991,{BAD},{BAD},{BAD}",
    **{ID.replace(b'"90210"', zipcode): BAD for zipcode in (b'""', b'"%s"' % (b"9" * 65), b'"9\\n"', b"90210")},
    **{ID.replace(b'"90210"', zipcode): "identify" for zipcode in (b'"SW1A 1AA"', b'"a_b"', b'"%s"' % ("ü".encode() * 64))},
    **{ID.replace(b'X"', city): BAD for city in (
        b"X" * 257 + b'"', b'"', b'\\ud800"', b'X","device_id":null', b'X","token":1', b'X","device_id":"a b"',
        b'X","device_id":"%s"' % (b"a" * 65), b'X","token":"%s"' % (b"t" * 1025))},
    **{ID.replace(b'X"', b'X","tags":' + tags): BAD for tags in (
        b"null", b"[]", b'"a"', b'{"":1}', b'{"a\\n":1}', b'{"a":{}}', b'{"a":[1]}', b'{"a":1,"\\u0061":1}',
        b'{"a":"\\ud800"}', b'{"%s":1}' % (b"n" * 65), b'{"a":"%s"}' % (b"v" * 257), b'{"a":1%s}' % (b"0" * 64),
        b"{%s}" % b",".join(b'"%d":1' % n for n in range(17)), b"{%s}" % b",".join(b'"%d":"%s"' % (n, b"v" * 256) for n in range(8)))},
    **{ID.replace(b'X"', b'X","tags":' + tags): "identify" for tags in (
        b"{}", b'{"a":null,"b":true,"c":"\\n","d":-1.50e+9}', b'{"%s":1}' % (b"n" * 64), b'{"a":"%s"}' % ("\U0001f600".encode() * 256),
        b'{"a":1%s}' % (b"0" * 63), b"{%s}" % b",".join(b'"%d":1' % n for n in range(16)))},
    ID.replace(b"X", b"\xc3\xa9" * 255 + b"\\t"): "identify", ID.replace(b'X"', b'X","device_id":"a_b:c.d-1"'): "identify"}


def self_test():
    cases = [(b'%s{"type":"metrics","data":%s}\n' % (ID, data), f"identify,{'metrics' if result[0] == '{' else result}",
              result if result[0] == "{" else "") for data, result in DATA.items()]
    failed = 0
    for data, result, readings in cases + [(data, result, None) for data, result in WHOLE.items()]:
        entries = judge(data)
        got = ",".join(f"{entry['code'] if entry['verdict'] == 'refused' else entry['verdict']}"
                       f"{'' if entry['seq'] is None else entry['seq']}{'!' * entry['closes']}" for entry in entries)
        if got != result or readings is not None and " ".join(entries[-1]["readings"]) != readings:
            failed += 1
            print(f"{data[:200]!r}: {result} {readings}, but it is {got} {entries[-1:]}"[:1000])
    print(f"{len(cases) + len(WHOLE)} cases, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    for request in sys.stdin.buffer:
        asked = json.loads(request)
        answer = {"connection": asked["connection"], "lines": judge(base64.b64decode(asked["bytes"], validate=True))}
        print(json.dumps(answer, separators=(",", ":")), flush=True)
