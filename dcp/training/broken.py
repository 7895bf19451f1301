"""Broken: images that could not be decoded, whose place others took. Counted over all processes, named in run.json."""

import torch

from dcp.data.image_lists import ImageList
from dcp.errors import DcpError, printable
from dcp.hardware.processes import Process
from dcp.runs.run import Run
from dcp.training.request import Say

LISTED = 1000  # by name in run.json
SAID = 3  # by name at a time


class Broken:
    """What is known of the broken images of a run.

    Args:
        images: of the run; others take the place of broken ones.
        run: the run folder in the main process, None in the others.
        process: this process.
        say: is told of those that are new.
    """

    def __init__(self, images: ImageList, run: Run | None, process: Process, say: Say) -> None:
        self.images, self.run, self.process, self.say = images, run, process, say
        self.noted: set[int] = set()  # images

    def note(self) -> None:
        """Write down what has been found so far; called by all processes at the same step, after what may be lost."""
        marks = torch.zeros(len(self.images), dtype=torch.int32, device=self.process.device)
        marks[list(self.images.in_place)] = 1
        found: set[int] = set(self.process.total(marks).nonzero().flatten().tolist())
        new = sorted(found - self.noted)
        self.noted |= found
        if self.run is None or not new:
            return
        data = self.run.record.data.model_dump(exclude_unset=True)
        match data.get("broken"):
            case {"images": int() as count, "files": dict() as files}:
                names: dict[str, str] = dict(files)
            case _:
                count, names = 0, {}
        for i in new:
            if i not in self.images.in_place:  # another process has found it: say what takes its place here
                try:
                    self.images.decode(i)
                except DcpError:  # what is trained does not depend on it; the next note says it
                    self.noted.discard(i)
                    continue
            name, instead = self._name(i), self._name(self.images.in_place.get(i, i))
            if name not in names and len(new) <= SAID:
                self.say(f"{self.images.place(i)} cannot be decoded: {instead} takes its place")
            if name in names or len(names) < LISTED:
                names[name] = instead
        count = max(count, len(found), len(names))
        if len(new) > SAID:
            self.say(f"{count:,} images cannot be decoded, and others take their place: run.json names them")
        self.run.update(data={**data, "broken": {"images": count, "files": names}})

    def _name(self, i: int) -> str:
        """Its path below the folder of the images."""
        return printable(self.images.name(i).decode(errors="backslashreplace"))
