"""A coding agent that speaks the Agent Client Protocol and behaves as its first argument says.

It stands for programs that we don't have: it is real in all that the driver sees of it, a process
in the cage with its own standard input and output, and thinks nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

Json = dict[str, Any]

ANSWER = 'Done.\n```json\n{"summary": "Scripted."}\n```'


def main(behaviour: str) -> None:
    if behaviour == "dies":
        sys.stderr.write("no licence found\n")
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "tidy":
        signal.signal(signal.SIGTERM, tidy_up)
    for line in sys.stdin:
        hear(json.loads(line), behaviour)


def tidy_up(*_: object) -> None:
    leave("tidied")
    sys.exit()


def hear(message: Json, behaviour: str) -> None:
    number, method = message.get("id"), message.get("method")
    if method == "initialize":
        methods = [{"id": "api-key", "name": "A key"}] if behaviour == "wants-login" else []
        say(id=number, result={"protocolVersion": 1, "authMethods": methods})
    elif method == "authenticate":
        leave("logged-in")
        say(id=number, result={})
    elif method == "session/new":
        if behaviour == "wants-login" and not os.path.exists("logged-in"):
            say(id=number, error={"code": -32000, "message": "Authentication required"})
        else:
            say(id=number, result={"sessionId": "s1"})
    elif method == "session/prompt":
        BEHAVIOURS[behaviour](message["params"]["prompt"][0]["text"])
        usage = {"totalTokens": 7, "text": "", "used": {}, "request": 1, "source": "gateway"}
        say(id=number, result={"stopReason": "end_turn", "usage": usage})
    elif method == "session/cancel":
        leave("cancelled")


def say(**message: object) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def ask(method: str, **params: object) -> Json:
    say(id=f"q-{method}", method=method, params={"sessionId": "s1", **params})
    answer: Json = json.loads(sys.stdin.readline())
    return answer


def update(what: str, **more: object) -> None:
    say(
        method="session/update",
        params={"sessionId": "s1", "update": {"sessionUpdate": what, **more}},
    )


def tell(text: str) -> None:
    for piece in (text[:3], text[3:]):
        update("agent_message_chunk", content={"type": "text", "text": piece})


def leave(name: str, text: str = "") -> None:
    with open(name, "w") as file:
        file.write(text)


def call_tool(number: int, status: str = "completed") -> None:
    update("tool_call", toolCallId=str(number), title=f"step {number}", kind="execute")
    content = [{"type": "content", "content": {"type": "text", "text": f"result {number}"}}]
    update("tool_call_update", toolCallId=str(number), status=status, content=content)


def works(prompt: str) -> None:
    call_tool(1)
    leave("made.txt", "by the agent")
    tell(ANSWER)


def says_it_at_the_third_time(prompt: str) -> None:
    tell(ANSWER if os.path.exists("asked-2") else "I am done, I think.")
    leave("asked-2" if os.path.exists("asked-1") else "asked-1", prompt)


def never_says_it(prompt: str) -> None:
    with open("asks", "a") as file:
        file.write("x")
    tell('{"verdict": "fine"}')


def hangs(prompt: str) -> None:
    leave("hanging")
    time.sleep(3600)


def loops(prompt: str) -> None:
    for number in range(10_000):
        call_tool(number)
        time.sleep(0.001)


def asks_permission(prompt: str) -> None:
    options = [
        {"optionId": "y", "name": "Yes", "kind": "allow_once"},
        {"optionId": "n", "name": "No", "kind": "reject_once"},
    ]
    call = {"toolCallId": "1", "title": "rm -r build", "kind": "execute"}
    said = ask("session/request_permission", toolCall=call, options=options)
    tell(json.dumps({"summary": said["result"]["outcome"]["optionId"]}))


def uses_our_files(prompt: str) -> None:
    here = os.getcwd()
    ask("fs/write_text_file", path=f"{here}/made.txt", content="one\ntwo\nthree\n")
    whole = ask("fs/read_text_file", path=f"{here}/made.txt")
    second = ask("fs/read_text_file", path=f"{here}/made.txt", line=2, limit=1)
    outside = ask("fs/read_text_file", path="/etc/passwd")
    odd = ask("terminal/create", command="sh")
    tell(
        json.dumps(
            {
                "summary": repr(
                    [
                        whole["result"]["content"],
                        second["result"]["content"],
                        "outside of the checkout" in json.dumps(outside),
                        odd["error"]["code"],
                    ]
                )
            }
        )
    )


def long_line(prompt: str) -> None:
    update("agent_message_chunk", content={"type": "text", "text": " " * (20 * 1024 * 1024)})
    tell(ANSWER)


def endless_line(prompt: str) -> None:
    while True:
        sys.stdout.write("x" * 1024 * 1024)


def noise(prompt: str) -> None:
    print("Debug: starting up\n[1, 2]\n\n{broken", flush=True)
    for _ in range(20_000):
        sys.stderr.write("a warning that nobody reads\n")
    update("something_new", content=[1])
    tell(ANSWER)


def nonsense(prompt: str) -> None:
    odds: list[Any] = [[], "x", 7, None, [[]], {"kind": []}]
    for odd in odds:
        say(id=odd, result=odd)
        say(id=odd, error=odd)
        say(method=odd, params=odd)
        say(method="session/update", params=odd)
        say(method="session/update", params={"update": odd})
        for what in ("agent_message_chunk", "tool_call", "tool_call_update", "usage_update"):
            update(what, content=odd, toolCallId="1", status=odd, _meta=odd, used=odd, kind=odd)
        ask("session/request_permission", toolCall=odd, options=[odd])
        ask("fs/read_text_file", path=odd, line=odd)
    tell(ANSWER)


def refuses(prompt: str) -> None:
    say(id=2, error={"code": -32603, "message": "quota exceeded"})
    sys.exit()


def thinks(prompt: str) -> None:
    """Asks its model as long as that has something to say."""
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    body = {"model": os.environ["OPENAI_MODEL"], "messages": [], "tools": [{"type": "function"}]}
    headers = {"content-type": "application/json", "authorization": "Bearer from-inside"}
    while True:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                said = json.load(answer)["choices"][0]["message"]["content"]
        except OSError:
            time.sleep(0.05)
            continue
        if said != "go on":
            tell(said)
            return


def looks_around(prompt: str) -> None:
    found = subprocess.run(
        "env; cat /proc/*/environ; cat /proc/*/cmdline; ls -la / /run /run/chimera /home; "
        "find / -type s 2>/dev/null",
        check=False,
        shell=True,
        capture_output=True,
        text=True,
        errors="replace",
    )
    leave("seen.txt", found.stdout)
    tell(ANSWER)


BEHAVIOURS = {
    "works": works,
    "wants-login": works,
    "third-time": says_it_at_the_third_time,
    "never": never_says_it,
    "hangs": hangs,
    "stubborn": hangs,
    "tidy": hangs,
    "loops": loops,
    "asks": asks_permission,
    "files": uses_our_files,
    "long-line": long_line,
    "endless-line": endless_line,
    "noise": noise,
    "nonsense": nonsense,
    "refuses": refuses,
    "thinks": thinks,
    "looks": looks_around,
}

if __name__ == "__main__":
    main(sys.argv[1])
