"""What travels to scheduler and workers by value: plugins that count losses, and questions about them."""

from importlib import import_module

from dask.distributed import SchedulerPlugin, WorkerPlugin

NAME = "draining"
BARRIER = "shuffle-barrier-"
EXAMPLES = 5


class Watch(SchedulerPlugin):
    """Count wanted results that leave memory, tasks that are blamed, and the runs of each P2P shuffle."""

    def start(self, scheduler):
        self.scheduler = scheduler
        self.recomputed = 0
        self.runs = {}
        self.examples = []
        self.blamed_before = self.blamed()

    def transition(self, key, start, finish, *_, stimulus_id="", **__):
        task = self.scheduler.tasks[key]
        self.note_runs()
        lost = start == "memory" and finish == "released" and (task.who_wants or task.waiters)
        if lost and not of_shuffle(task):
            self.recomputed += 1
            self.example(key, start, finish, stimulus_id)
        if start == "processing" and finish in ("released", "erred") and task.suspicious:
            self.example(key, start, finish, f"suspicious {task.suspicious}", stimulus_id)

    def note_runs(self):
        shuffles = getattr(self.scheduler.plugins.get("shuffle"), "active_shuffles", {})
        for name, shuffle in shuffles.items():
            self.runs.setdefault(name, set()).add(shuffle.run_id)

    def blamed(self):
        """Return how often tasks were blamed for the end of a worker; prefixes outlive their tasks."""
        return sum(prefix.suspicious for prefix in self.scheduler.task_prefixes.values())

    def example(self, key, start, finish, *why):
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{key}: {start} to {finish}, {', '.join(why)}")

    def told(self):
        return {
            "recomputed": self.recomputed,
            "suspicious": self.blamed() - self.blamed_before,
            "shuffle_restarts": sum(len(runs) - 1 for runs in self.runs.values()),
            "examples": self.examples,
        }


class Import(WorkerPlugin):
    """Import on each worker, before it has a task, what tasks need.

    If a thread imports a package while what comes from the scheduler is unpickled, which needs it too, the
    import may fail; that ends the connection, and the worker.
    """

    def setup(self, worker):
        for module in "dask.dataframe", "distributed.shuffle._shuffle":
            import_module(module)


def of_shuffle(task):
    """Whether it is a part of a P2P shuffle; if that restarts, all of them leave memory together."""
    near = {task, *task.dependencies, *task.dependents}
    return any(str(other.key).startswith(BARRIER) for other in near)


def told(dask_scheduler):
    return dask_scheduler.plugins[NAME].told()


def running(dask_scheduler):
    """Return the addresses of the workers that may be given something, in the order of their names."""
    return [state.address for state in sorted(dask_scheduler.running, key=lambda state: str(state.name))]


def in_reach(key, dask_scheduler):
    """Whether a worker that was not about to leave has these data."""
    task = dask_scheduler.tasks.get(key)
    return task is not None and not dask_scheduler.running.isdisjoint(task.who_has)


def waits_for(key, dask_scheduler):
    """Return the key, the state and the worker of the task that another one waits for in the end."""
    task = dask_scheduler.tasks.get(key)
    while task and task.state != "erred" and (before := inputs_missing(task)):
        task = before[0]
    return (task.key, task.state, str(task.processing_on)) if task else (key, "unknown", "no worker")


def inputs_missing(task):
    """Return what a task waits for; one that Dask does not compute again waits for inputs that failed."""
    return [*(task.waiting_on or ()), *(given for given in task.dependencies if given.state == "erred")]
