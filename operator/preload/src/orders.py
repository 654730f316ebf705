"""What the operator and a leaving pod may ask for."""

import asyncio

from drain import close, drains, remember, report
from retire import CORDONED, dismiss, look, retire, uncordon
from watch import changed


async def retire_all(scheduler, pods, times, leaving):
    """Drain pods side by side; answer when all are done, or after a wait."""
    deadline, reserve, wait = times
    deadline = 120 if deadline is None else deadline
    reserve = min(30, deadline / 4) if reserve is None else reserve
    records = [retire(scheduler, pod, ip, deadline, reserve, leaving) for pod, ip in pods]
    if jobs := [record.job for record in records if record.job]:
        await asyncio.wait(jobs, timeout=wait)
    answers = [report(record) for record in records]
    for record in records:
        drop_unknown(record)
    return answers


async def uncordon_all(scheduler, pods, *_):
    """Take a retirement back; a pod that leaves cannot stay."""
    answers = []
    for pod, ip in pods:
        drain = drains.get(pod) or remember(pod, ip)
        # What is over is about workers that stay paused: those that are not were started in the pod since.
        leaves = drain.leaving and (not drain.told or is_paused(scheduler, drain))
        if not leaves:
            await stop(drain)
            drains.pop(pod, None)
            uncordon(scheduler, drain)
            await told_to_go_on(scheduler, drain)
            changed()
        paused = is_paused(scheduler, drain)
        state = "leaving" if leaves else "waiting" if paused else "running"
        answers.append({"name": pod, "state": state if drain.here else "unknown", "workers": drain.here})
    return answers


def is_paused(scheduler, drain):
    """Whether any worker of the pod is paused at this moment."""
    return any(state.status.name == CORDONED for state in look(scheduler, drain))


async def told_to_go_on(scheduler, drain):
    """Wait a moment for the workers to say that they go on, so that no later order can overtake this one."""
    for _ in range(50):
        if not is_paused(scheduler, drain):
            break
        await asyncio.sleep(0.02)


async def forget_all(scheduler, pods, *_):
    """Remove the workers of pods that are gone, or about to be, so that their tasks are not blamed."""
    answers = []
    for pod, ip in pods:
        drain = drains.get(pod) or remember(pod, ip)
        await stop(drain)
        if look(scheduler, drain) or not drain.addresses:
            await dismiss(scheduler, drain)
            close(drain, "forgotten" if drain.addresses else "unknown")
        answers.append(report(drain))
        drop_unknown(drain)
    return answers


def drop_unknown(drain):
    """Do not remember what never was."""
    if drain.verdict == "unknown":
        drains.pop(drain.pod_name, None)


async def stop(drain):
    """Stop a drain that is under way."""
    if drain.job:
        drain.job.cancel()
        await asyncio.wait([drain.job])
    if not drain.told:
        close(drain, "cancelled")


async def stop_all():
    """Stop all drains, so that everybody who waits is answered."""
    for drain in list(drains.values()):
        await stop(drain)
    changed()
