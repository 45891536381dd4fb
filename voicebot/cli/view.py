"""How a running call or batch looks on the terminal: one line per piece of news, a progress bar below."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from voicebot.call.news import News

_STYLES = {
    "robot": "cyan",
    "customer": "green",
    "trouble": "red",
    "ended": "bold",
    "promise": "magenta",
    "withdrawn": "yellow",
    "handoff": "yellow",
}
_LABELS = {
    "robot": "机器人",
    "customer": "客户  ",
    "let_go": "（附和）",
    "dialing": "呼叫",
    "answered": "接通",
    "flag": "标记",
    "promise": "承诺",
    "withdrawn": "撤回承诺",
    "callback": "回电",
    "handoff": "转人工",
    "tone": "信号音",
    "trouble": "异常",
    "ended": "结束",
    "ready": "就绪",
}


class CallView:
    """Prints news as it comes; with `total` it also counts ended cases in a progress bar."""

    def __init__(self, console: Console, total: int | None = None, done: int = 0, *, label: str = "通话") -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=total is None,
        )
        self._task = self._progress.add_task(label, total=total, completed=done)

    def __enter__(self) -> CallView:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, news: News) -> None:
        if news.kind == "stats":
            return
        self._progress.console.print(line_of(news), highlight=False, soft_wrap=True)
        if news.kind == "ended":
            self._progress.advance(self._task)


def line_of(news: News) -> str:
    """One line of rich markup: case, time in the call, who, words, and what was made of them."""
    style = _STYLES.get(news.kind, "dim")
    where = f"{escape(news.case_id or '-'):<8}{news.at_s:7.2f}s"
    head = f"[dim]{where}[/dim] [{style}]{_LABELS.get(news.kind, news.kind)}[/{style}]"
    tail = []
    if news.acts:
        tail.append("+".join(news.acts))
    if news.detail:
        tail.append(news.detail)
    if news.response_ms is not None:
        tail.append(f"{news.response_ms} ms")
    return f"{head} {escape(news.text)}" + (f" [dim]({escape(' · '.join(tail))})[/dim]" if tail else "")
