"""Count words over text files with a Bag; the files lie on the disk of every worker."""

import random
import shutil
import tempfile
import uuid
from collections import Counter
from pathlib import Path

import dask.bag
from dask.distributed import WorkerPlugin

from session import report, session

FILES = 12
LINES = 2_000
WORDS = [f"word{number}" for number in range(500)]


def lines(number):
    """Return the text of one file; short words are frequent, as in real text."""
    rng = random.Random(number)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [" ".join(rng.choices(WORDS, weights, k=10)) for _ in range(LINES)]


class TextFiles(WorkerPlugin):
    """Write the files on each worker, also on those that join later: workers need not share a disk."""

    name = "text-files"

    def __init__(self, folder):
        self.folder = folder

    def setup(self, worker):
        self.folder.mkdir(exist_ok=True)
        for number in range(FILES):
            # Workers of one machine share the folder: each writes aside and moves the whole file into place.
            aside = self.folder / f"{uuid.uuid4().hex}.part"
            aside.write_text("\n".join(lines(number)))
            aside.rename(self.folder / f"{number}.txt")


def main():
    with session() as client:
        temporary = client.submit(tempfile.gettempdir).result(timeout=120)
        folder = Path(temporary) / f"bag-words-{uuid.uuid4().hex}"
        client.register_plugin(TextFiles(folder))
        try:
            paths = [str(folder / f"{number}.txt") for number in range(FILES)]
            words = dask.bag.read_text(paths).str.split().flatten()
            counts = dict(words.frequencies(split_every=4).compute())
        finally:
            client.unregister_worker_plugin(TextFiles.name)
            client.run(shutil.rmtree, folder, ignore_errors=True)

    expected = Counter(word for number in range(FILES) for line in lines(number) for word in line.split())
    problem = "" if counts == expected else "the counts differ from those of collections.Counter."
    report("bag_words", problem, files=FILES, words=expected.total(), top=expected.most_common(3))


if __name__ == "__main__":
    main()
