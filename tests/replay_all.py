#!/usr/bin/env python3
"""Replays everything in traces/ with the release build and compares with what is stored beside it.

    python3 tests/replay_all.py             compares; the last line is `N passed, N failed`
    python3 tests/replay_all.py --accept    writes what came out as what is expected (read the diff)

For each trace `NAME.strace`, `NAME.trace` or `NAME.jsonl` (also .zst or .gz) there is `NAME.expected.json`:
the exit status of `replay FILE --json`, its report without times and path, and the digest of `digest FILE --json`.
A damaged file that is kept as a case has its status 2 there, like any other.
"""
import json, os, re, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TRACES = os.path.join(ROOT, 'traces')
TRACE = re.compile(r'(?P<name>.+)\.(strace|trace|jsonl|tar)(\.zst|\.gz)?$')
EXPECTED = '.expected.json'
# These differ from run to run, or with the place of the checkout.
LEFT_OUT = ('file', 'wall_ns', 'events_per_second')


def build():
    """The path of the command, built for release once: a cargo for each trace would ask for its locks each time."""
    cargo = ['cargo', 'build', '--quiet', '--locked', '--release', '-p', 'tickernel', '--bin', 'tickernel', '--message-format', 'json']
    done = subprocess.run(cargo, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit('the command cannot be built: cargo says why above')
    messages = map(json.loads, done.stdout.splitlines())
    return next(message['executable'] for message in messages if message.get('executable'))


def run(command, path):
    """Exit status and the JSON object that the command printed; a text where it printed none."""
    tickernel = [TICKERNEL, command, path, '--json']
    done = subprocess.run(tickernel, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, f'no JSON on standard output; standard error: {done.stderr.strip()[-500:]}'


def outcome(path):
    status, report = run('replay', path)
    if isinstance(report, dict):
        report = {key: value for key, value in report.items() if key not in LEFT_OUT}
    _, digest = run('digest', path)
    if isinstance(digest, dict):
        digest = digest.get('digest', digest)
    return {'status': status, 'replay': report, 'digest': digest}


def differences(expected, found, place=''):
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(set(expected) | set(found)):
            yield from differences(expected.get(key), found.get(key), f'{place}.{key}' if place else key)
    elif expected != found:
        yield f'{place}: expected {json.dumps(expected)}, found {json.dumps(found)}'


def check(name, trace, accept):
    """What is wrong with one trace, a line each."""
    stored = os.path.join(TRACES, name + EXPECTED)
    found = outcome(os.path.join('traces', trace))
    if accept:
        with open(stored, 'w') as file:
            json.dump(found, file, indent=1, sort_keys=True)
            file.write('\n')
        return []
    if not os.path.exists(stored):
        return [f'no {name}{EXPECTED} beside it: write it with --accept, and read it']
    with open(stored) as file:
        return list(differences(json.load(file), found))


def main():
    global TICKERNEL
    accept = sys.argv[1:] == ['--accept']
    if sys.argv[1:] and not accept:
        sys.exit(__doc__)
    TICKERNEL = build()
    traces, passed, failed = {}, 0, 0
    names = sorted(os.listdir(TRACES))
    for file in names:
        match = TRACE.match(file)
        if match and match['name'] in traces:
            sys.exit(f'traces/{file}: {traces[match["name"]]} has the same name: rename one')
        if match:
            traces[match['name']] = file
    for file in names:
        if file.endswith(EXPECTED) and file.removesuffix(EXPECTED) not in traces:
            print(f'traces/{file}: no trace of this name: remove it')
            failed += 1
    for name, trace in traces.items():
        wrong = check(name, trace, accept)
        passed += not wrong
        failed += bool(wrong)
        print(f'traces/{trace}: {"differs" if wrong else "ok"}')
        for line in wrong:
            print(f'    {line}')
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed or not traces else 0)


main()
