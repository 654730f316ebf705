"""What is submitted while workers leave, made at random: graphs of tasks that depend on each other, and tables."""

from dataclasses import dataclass

# Seconds of a task; most are short.
SHORTEST, LONGEST = 0.01, 0.5
TASKS = 100, 300
ROOTS = 0.25
# From how many of the tasks before it a task may take its inputs: few of them, so that many are shared.
NEAR = 40
# How many digests a value is made of: 64 bytes each.
SMALL, LARGE = 1, 3000
# The parts of a table, and the seconds that each of them takes when it is shuffled.
PIECES = 20, 40
PIECE_SECONDS = 0.1, 0.3


@dataclass
class Task:
    """One task; its value follows from its name and its inputs."""

    name: str
    seconds: float
    copies: int
    inputs: list[str]


def seconds(random):
    return SHORTEST * (LONGEST / SHORTEST) ** random.random()


def graph(random, number, sizes=TASKS):
    """Return the tasks of one round by name, those that others depend on first."""
    count = random.randint(*sizes)
    names = [f"mix-{number}-{index}" for index in range(count)]
    tasks = {}
    for index, name in enumerate(names):
        before = names[max(0, index - NEAR) : index]
        wanted = 0 if index < count * ROOTS else random.randint(1, 3)
        copies = random.randint(SMALL, LARGE) if random.random() < 0.1 else SMALL
        tasks[name] = Task(name, seconds(random), copies, random.sample(before, wanted))
    return tasks


def table(random):
    """Return the seed of a table, the number of its parts, and the seconds of each."""
    return random.getrandbits(32), random.randint(*PIECES), random.uniform(*PIECE_SECONDS)


def ends(tasks):
    """Return the names of those that no other depends on."""
    inner = {name for task in tasks.values() for name in task.inputs}
    return [name for name in tasks if name not in inner]


def values(tasks, value):
    """Return what undisturbed tasks give, by name."""
    known = {}
    for task in tasks.values():
        known[task.name] = value(task.name, task.copies, [known[name] for name in task.inputs])
    return known
