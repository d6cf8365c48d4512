"""What was measured, as plain data: samples, their medians, and what they were measured on. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one server: metrics by name, the unit at the end of the name."""

    scenario: str
    subject: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of one metric."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Results:
    """A run. `facts` tells of machine, versions and sizes, in the order they are to be read."""

    facts: Mapping[str, str]
    samples: Sequence[Sample]

    def subjects(self, scenario: str) -> list[str]:
        """Who took part, in the order of the first round."""
        return list(dict.fromkeys(item.subject for item in self.samples if item.scenario == scenario))

    def scenarios(self, prefix: str) -> list[str]:
        """Those whose name begins so, in the order they were measured."""
        return list(dict.fromkeys(item.scenario for item in self.samples if item.scenario.startswith(prefix)))

    def summary(self, scenario: str, subject: str, metric: str) -> Summary | None:
        """Median and extremes; None when it was not measured."""
        values = [
            item.metrics[metric]
            for item in self.samples
            if (item.scenario, item.subject) == (scenario, subject) and metric in item.metrics
        ]
        return Summary(median(values), min(values), max(values)) if values else None

    def median(self, scenario: str, subject: str, metric: str) -> float | None:
        """The median; None when it was not measured."""
        found = self.summary(scenario, subject, metric)
        return None if found is None else found.median

    def ratio(self, scenario: str, metric: str, subject: str, other: str) -> float | None:
        """How many times the other's median the subject's is."""
        ours, theirs = (self.median(scenario, name, metric) for name in (subject, other))
        return None if ours is None or not theirs else ours / theirs

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Results":
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(data["facts"], [Sample(**sample) for sample in data["samples"]])
