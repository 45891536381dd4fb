"""What does a script look like? Its nodes and ways as a Mermaid flowchart, drawn from the data that calls use."""

from __future__ import annotations

from dialogue.script import Do, Node, Reaction, Script


def draw(script: Script) -> str:
    """A Mermaid `flowchart TD`. What every script inherits is left out, or it would hide the script itself."""
    out = ["flowchart TD", f"    start([{_label(script.name)} {_label(script.version)}]) --> {script.start}"]
    used = [n for n in script.nodes.values() if n.id in script.own_nodes]
    out += [f"    {_box(script, node)}" for node in used]
    for node in used:
        out += [f"    {edge}" for edge in _edges(script, node)]
    if script.offers:
        out.append("    offer{{weigh the offer}}")
        for verdict, r in script.offers.items():
            if r.go:
                out.append(f"    offer -- {verdict.value} --> {r.go}")
    if script.stored and script.store_failed:
        out.append("    store[(store the promise)]")
        out.append(f"    store -- stored --> {script.stored}")
        out.append(f"    store -- failed --> {script.store_failed}")
    general = [(act, r) for act, r in script.reactions.verified.items() if not r.stays]
    if general:
        out.append("    anywhere((right party,<br/>anywhere))")
        out += [f"    anywhere -. {act.value} .-> {target}" for act, r in general for target in _targets(r)]
    return "\n".join(dict.fromkeys(out)) + "\n"


def _box(script: Script, node: Node) -> str:
    words = " / ".join(script.lines[line_id].wordings[0].template for line_id in node.say) or node.id
    text = f"<b>{node.id}</b><br/>{_label(words)}"
    if node.end:
        return f'{node.id}(["{text}<br/><i>{node.end.value}</i>"])'
    if node.ask:
        return f'{node.id}{{{{"{text}<br/><i>{node.ask.value}</i>"}}}}'
    return f'{node.id}["{text}"]'


def _edges(script: Script, node: Node) -> list[str]:
    edges = [f"{node.id} --> {node.then}"] if node.then else []
    by_target: dict[str, list[str]] = {}
    ways = [(act.value, r) for act, r in node.on.items()]
    if node.otherwise:
        ways.append(("otherwise", node.otherwise))
    for name, r in ways:
        for target in _targets(r):
            by_target.setdefault(target, []).append(name)
    edges += [f"{node.id} -- {' / '.join(names)} --> {target}" for target, names in by_target.items()]
    if node.exhausted:
        edges.append(f"{node.id} -- asked {node.limit} times --> {node.exhausted}")
    return edges


def _targets(r: Reaction) -> list[str]:
    if r.go:
        return [r.go]
    if r.do is Do.OFFER:
        return ["offer"]
    if r.do is Do.STORE:
        return ["store"]
    if r.end:
        return [f"end_{r.end.value}([{r.end.value}])"]
    if r.handoff:
        return ["person([a person])"]
    return []


def _label(text: str) -> str:
    return text.replace('"', "'").replace("{", "‹").replace("}", "›")
