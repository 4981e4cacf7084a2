"""Trains a small transformer to write an article's title from how the article begins: PyTorch, a minute on a CPU.

    ./run_kcl.sh demo --records 6000 --save demo-bucket         # articles, through the whole pipeline
    python3 -I bootstrap training                               # PyTorch into .venv, once: 5 GB
    source .venv/bin/activate
    articles catalog build demo-bucket/articles
    python examples/train_summarizer.py demo-bucket/articles runs/calm

The same with a crash in the middle, and by two processes with two loader workers each; then whether all three learned
from the same articles in the same order:

    python examples/train_summarizer.py demo-bucket/articles runs/killed --kill-after 130
    python examples/train_summarizer.py demo-bucket/articles runs/killed
    torchrun --standalone --nproc-per-node 2 examples/train_summarizer.py demo-bucket/articles runs/two --workers 2
    python examples/compare_runs.py runs/calm runs/killed runs/two

RUN/checkpoint.pt holds the model, the optimizer and where reading is: started again, a run goes on with the very next
article, also with other numbers of processes and workers. Losses are in nats a word.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from articles import ArticleDataset
from articles.errors import StoreError, UserError
from compare_runs import note

try:
    import torch
    from torch import Tensor, distributed, nn
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader

    from articles.training.adapters.torch import IterableArticles
except ImportError:
    sys.exit("train_summarizer: there is no PyTorch here; `python3 -I bootstrap training` puts it into .venv")

FIELDS = ("article_id", "title", "content")
LEARNED, HELD_OUT = (0.1, 1.0), (0.0, 0.1)
"""Parts of all articles, by a digest of their ids."""
CONTENT, TITLE = 64, 16
"""Words of an article that are read, and of its title."""
WORDS, WIDTH = 3000, 128
PAD, START, END, UNKNOWN = range(4)
REPORT_STEPS = 20


def words_of(text: str | None, at_most: int) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", (text or "").lower())[:at_most]


def title_of(article: dict[str, Any]) -> list[str]:
    return [*words_of(article["title"], TITLE - 2), "<end>"]


class Vocabulary:
    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def batch(self, articles: Sequence[dict[str, Any]]) -> tuple[list[str], Tensor, Tensor]:
        """Ids; the words, as numbers, of contents (articles, CONTENT) and of titles (articles, TITLE)."""
        contents = [self._row(words_of(article["content"], CONTENT), CONTENT) for article in articles]
        titles = [self._row(["<start>", *title_of(article)], TITLE) for article in articles]
        return [article["article_id"] for article in articles], torch.tensor(contents), torch.tensor(titles)

    def text(self, title: Tensor) -> str:
        return " ".join(self.words[number] for number in title.tolist() if number not in (PAD, START, END))

    def _row(self, words: Sequence[str], length: int) -> list[int]:
        return [self.numbers.get(word, UNKNOWN) for word in words] + [PAD] * (length - len(words))


class Summarizer(nn.Module):
    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, WIDTH, padding_idx=PAD)
        self.position = nn.Parameter(torch.randn(CONTENT, WIDTH) / 50)
        self.transformer = nn.Transformer(WIDTH, 4, 2, 2, 2 * WIDTH, dropout=0.0, batch_first=True)
        self.output = nn.Linear(WIDTH, words)

    def forward(self, contents: Tensor, titles: Tensor) -> Tensor:
        """Logits of the word that follows each word of the titles: (articles, words of a title, vocabulary)."""
        read, written = (self.embedding(words) + self.position[: words.shape[1]] for words in (contents, titles))
        mask = nn.Transformer.generate_square_subsequent_mask(titles.shape[1])
        logits: Tensor = self.output(self.transformer(read, written, tgt_mask=mask, tgt_is_causal=True))
        return logits

    @torch.no_grad()
    def title(self, content: Tensor) -> Tensor:
        """The likeliest word, again and again."""
        title = torch.tensor([[START]])
        while title.shape[1] < TITLE and title[0, -1] != END:
            title = torch.cat((title, self(content[None], title)[:, -1:].argmax(-1)), 1)
        return title[0]


def loss_of(model: nn.Module, contents: Tensor, titles: Tensor) -> Tensor:
    logits = model(contents, titles[:, :-1]).flatten(0, 1)
    return cross_entropy(logits, titles[:, 1:].flatten(), ignore_index=PAD)


def prepare(learned: ArticleDataset) -> tuple[list[str], list[float]]:
    """The words that come most often, and how likely each is in a title: the baseline, which reads no article."""
    contents: Counter[str] = Counter()
    titles: Counter[str] = Counter()
    for article in learned:
        contents.update(words_of(article["content"], CONTENT))
        titles.update(title_of(article))
    known = [word for word, _ in (contents + titles).most_common(WORDS) if word != "<end>"]
    words = ["<pad>", "<start>", "<end>", "<unknown>", *known]
    every = sum(titles.values()) + len(words)
    return words, [(titles[word] + 1) / every for word in words]


def in_order(ids: list[str], loss: float, ranks: int) -> tuple[list[str], float]:
    """Of all ranks' parts of a step. Rank r was given each ranks-th article, from the r-th on."""
    if ranks == 1:
        return ids, loss
    parts: list[Any] = [None] * ranks
    distributed.all_gather_object(parts, (ids, loss))
    turns = zip(*(ids for ids, _ in parts), strict=True)
    return [one for turn in turns for one in turn], sum(loss for _, loss in parts) / ranks


def train(args: argparse.Namespace) -> None:
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))  # set by torchrun
    if args.batch < 1 or args.batch % ranks:
        raise UserError(f"--batch {args.batch}: it must be a multiple of the number of processes, {ranks}")
    args.run.mkdir(parents=True, exist_ok=True)
    checkpoint = args.run / "checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None

    snapshot = saved["reading"]["snapshot"] if saved else args.snapshot
    opened = partial(ArticleDataset, args.uri, snapshot=snapshot, fields=FIELDS)
    # All ranks need as many batches: "drop" leaves out the few at the end of an epoch that some have more than others.
    learned = opened(split=LEARNED, shuffle=True, seed=args.seed, remainder="drop")
    held_out = list(islice(opened(split=HELD_OUT), 1000))
    steps = learned.total // args.batch * args.epochs
    if not steps or not held_out:
        raise UserError(f"{args.uri} has {learned.total} articles to learn from and {len(held_out)} held out: too few")
    words, likely = (saved["words"], saved["likely"]) if saved else prepare(opened(split=LEARNED))
    vocabulary = Vocabulary(words)
    _, contents, titles = vocabulary.batch(held_out)
    baseline = float(-torch.tensor(likely)[titles[titles > START]].log().mean())

    size = args.batch // ranks
    reader = IterableArticles(learned, size, rank=rank, world_size=ranks)
    loader = DataLoader(reader, size, num_workers=args.workers, collate_fn=vocabulary.batch, drop_last=True)
    torch.set_num_threads(min(2, torch.get_num_threads()))  # more do not pay for a model this small
    torch.manual_seed(args.seed)
    summarizer = Summarizer(len(words))
    optimizer = torch.optim.AdamW(summarizer.parameters(), 1e-3)
    step = start = 0
    if saved:
        reader.load_state_dict(saved["reading"])
        summarizer.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = start = saved["step"]
    model: nn.Module = summarizer
    if ranks > 1:
        distributed.init_process_group("gloo")
        model = nn.parallel.DistributedDataParallel(summarizer)

    def say(text: str) -> None:
        if rank == 0:
            print(text, flush=True)

    def save(epoch: int, batches: int) -> None:
        reading, model = reader.state_after(batches), summarizer.state_dict()
        state = {"step": step, "epoch": epoch, "reading": reading, "model": model, "optimizer": optimizer.state_dict()}
        new = checkpoint.with_suffix(".new")
        torch.save({**state, "words": words, "likely": likely}, new)
        new.replace(checkpoint)  # all or nothing, whenever the process dies

    say(f"snapshot {learned.snapshot}: {learned.total:,} articles to learn from, {len(held_out):,} held out")
    say(f"after step {step} of {steps}; baseline {baseline:.3f}: words guessed from how often they come in titles")
    began = time.monotonic()
    for epoch in range(saved["epoch"] if saved else 0, args.epochs):
        reader.set_epoch(epoch)
        for batches, (ids, read, written) in enumerate(loader, 1):
            loss = loss_of(model, read, written)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            ids, mean = in_order(ids, loss.item(), ranks)
            if rank == 0:
                note(args.run, step, epoch, mean, ids)
            if rank == 0 and (step % args.save_every == 0 or step == steps):
                save(epoch, batches)
            if step % REPORT_STEPS == 0:
                speed = (step - start) * args.batch / (time.monotonic() - began)
                say(f"epoch {epoch}  step {step:>5} of {steps}  loss {mean:.3f}  {speed:,.0f} articles/s")
            if step == args.kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
        with torch.no_grad():
            own, others = (loss_of(summarizer, read, titles).item() for read in (contents, contents.roll(1, 0)))
        say(f"epoch {epoch}  held out: {own:.3f}; from another article's content {others:.3f}; baseline {baseline:.3f}")
    for content, title in zip(contents[:3], titles, strict=False):
        say(f"\n  title  {vocabulary.text(title)}\n  model  {vocabulary.text(summarizer.title(content))}")


def main() -> int:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="train_summarizer.py", description=__doc__, formatter_class=kind)
    parser.add_argument("uri", help="what holds data/ and catalog/: a folder, s3://bucket/prefix, or another URL")
    parser.add_argument("run", nargs="?", type=Path, default=Path("runs/summarizer"), help="a folder (%(default)s)")
    parser.add_argument("--snapshot", type=int, metavar="NUMBER", help="of the catalogue (the newest)")
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="%(default)s")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="articles a step, in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order and of the model (%(default)s)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="loader workers of a process (%(default)s)")
    parser.add_argument("--save-every", type=int, default=50, metavar="N", help="steps to a checkpoint (%(default)s)")
    parser.add_argument("--kill-after", type=int, metavar="STEP", help="end there with SIGKILL, as a crash would")
    try:
        train(parser.parse_args())
    except (UserError, StoreError, OSError) as error:
        print(f"train_summarizer: {error}\n(--help shows all commands, from making articles on)", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
