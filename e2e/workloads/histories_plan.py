"""The shapes of what histories.py submits, made at random: each is tasks by name, those that others depend on first."""

import draining_plan as plan

# How many tasks each shape has, and of those that need a resource.
TREE, FAN, CHAIN, RARE = (20, 60), (15, 50), (4, 12), (2, 8)
# Seconds of a task behind which others wait.
ROOT_SECONDS = 1, 4


def tree(random, number):
    """Parts are shared."""
    return plan.graph(random, number, TREE)


def fan(random, number):
    """Many at once."""
    return {name: task(name, random) for name in names("fan", number, random.randint(*FAN))}


def behind(random, number):
    """Many at once as soon as one has ended."""
    root = f"root-{number}"
    tasks = {root: plan.Task(root, random.uniform(*ROOT_SECONDS), 1, [])}
    for name in names("behind", number, random.randint(*FAN)):
        tasks[name] = task(name, random, root)
    return tasks


def chain(random, number):
    """One after the other."""
    tasks, before = {}, []
    for name in names("chain", number, random.randint(*CHAIN)):
        tasks[name] = task(name, random, *before)
        before = [name]
    return tasks


def rare(random, number):
    """What only some workers can run."""
    return {name: task(name, random) for name in names("rare", number, random.randint(*RARE))}


def names(kind, number, count):
    return [f"{kind}-{number}-{index}" for index in range(count)]


def task(name, random, *inputs):
    return plan.Task(name, plan.seconds(random), 1, list(inputs))


SHAPES = tree, fan, behind, chain, rare
