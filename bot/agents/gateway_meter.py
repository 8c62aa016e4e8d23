"""Counts what a run uses, and says when it is too much."""

from collections.abc import Mapping
from dataclasses import dataclass

from genai_prices import Usage as Tokens
from genai_prices import calc_price, extract_usage

from bot.agents.agent import Limits, Usage, UsageSource
from bot.agents.bill import over_usd
from bot.agents.gateway_dialects import Dialect, Family

_FLAVOURS = {Dialect.CHAT: "chat", Dialect.RESPONSES: "responses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one exchange used; the price is None where nobody knows it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    estimated: bool = False  #: the provider never said


class Meter:
    """The sum of a run's exchanges, those under way included."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._done: list[Used] = []
        self._running: dict[int, Used | None] = {}
        self.requests = 0

    def begin(self) -> int:
        """A number for an exchange that starts now."""
        self.requests += 1
        self._running[self.requests] = None
        return self.requests

    def so_far(self, number: int, used: Used) -> None:
        """An exchange's use up to now."""
        self._running[number] = used

    def end(self, number: int, used: Used | None) -> None:
        """An exchange has ended; None if it never was one."""
        del self._running[number]
        if used is not None:
            self._done.append(used)

    def over(self) -> str:
        """Which limit is reached; empty while there is room."""
        limits, all_used = self._limits, self._all()
        tokens = sum(used.input_tokens + used.output_tokens for used in all_used)
        cost = sum(used.cost_usd or 0.0 for used in all_used)
        if tokens >= limits.tokens:
            return f"{tokens} tokens used of {limits.tokens}"
        if cost >= limits.cost_usd:
            return over_usd(cost, limits.cost_usd)
        return ""

    def spent(self) -> bool:
        """Whether as many requests were made as the run may make."""
        return self.requests >= self._limits.turns

    def total(self) -> Usage:
        """The bill: one exchange without a price leaves the whole without one."""
        done = self._all()
        priced = [used.cost_usd for used in done if used.cost_usd is not None]
        return Usage(
            requests=len(done),
            input_tokens=sum(used.input_tokens for used in done),
            output_tokens=sum(used.output_tokens for used in done),
            cost_usd=sum(priced) if done and len(priced) == len(done) else None,
            source=UsageSource.GATEWAY,
        )

    def _all(self) -> list[Used]:
        return [*self._done, *(used for used in self._running.values() if used is not None)]


def billed(family: Family, dialect: Dialect, model: str, bill: Mapping[str, object]) -> Used | None:
    """What the provider's own answer says was used; None where it cannot be read.

    The model is the one that was asked for, because that is what is paid for; the one that the
    answer names would only have to be known to the price list.
    """
    try:
        flavour = _FLAVOURS.get(dialect, "default")
        unnamed = {key: bill[key] for key in ("usage", "usageMetadata") if key in bill}
        tokens = extract_usage(unnamed, provider_id=family, api_flavor=flavour).usage
    except (LookupError, ValueError, TypeError):
        return None
    return _priced(family, model, tokens)


def estimated(family: Family, model: str, *, input_tokens: int, output_tokens: int) -> Used:
    """What was probably used, where the provider did not get as far as saying so."""
    tokens = Tokens(input_tokens=input_tokens, output_tokens=output_tokens)
    priced = _priced(family, model, tokens)
    return Used(
        input_tokens=priced.input_tokens,
        output_tokens=priced.output_tokens,
        cost_usd=priced.cost_usd,
        estimated=True,
    )


def _priced(family: Family, model: str, tokens: Tokens) -> Used:
    try:
        cost = float(calc_price(tokens, model, provider_id=family).total_price)
    except LookupError:
        cost = None
    return Used(
        input_tokens=int(tokens.input_tokens or 0),
        output_tokens=int(tokens.output_tokens or 0),
        cost_usd=cost,
    )
