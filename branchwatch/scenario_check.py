"""Whether a scenario fits the branches and the rules it is about, told before anything starts."""

from difflib import get_close_matches

from pydantic import ValidationError

from contracts.errors import ConfigurationError
from contracts.identity import GATEWAY_DEVICE
from rules.files import load_rules
from rules.overrides import Override, apply_overrides
from runtime.settings import describe
from simulators.player import Player


def check_scenario(player: Player) -> None:
    """Check devices, failures, rules and their overrides.

    Raises:
        ConfigurationError: something the scenario names does not exist, or does not fit; the message says what does.
    """
    player.check()
    scenario = player.scenario
    rules = {rule.id: rule for rule in load_rules()}
    for step in scenario.steps:
        devices = player.branch_of(step).devices
        for expected in step.expect:
            rule = rules.get(expected.rule)
            if rule is None:
                near = ", ".join(get_close_matches(expected.rule, rules, n=3, cutoff=0.4)) or "none"
                raise ConfigurationError(f"step {step.name}: no rule {expected.rule!r}; near it: {near}")
            local_id = step.device_of(expected)
            kind = GATEWAY_DEVICE if local_id == GATEWAY_DEVICE else devices[local_id].kind
            if kind not in rule.kinds:
                raise ConfigurationError(
                    f"step {step.name}: rule {rule.id} looks at {', '.join(rule.kinds)}; {local_id} is of kind {kind}"
                )
            if expected.closed and rule.work_order is None:
                raise ConfigurationError(f"step {step.name}: rule {rule.id} opens no work order that could be closed")
    try:
        overrides = {name: Override.model_validate(values) for name, values in scenario.rules.items()}
    except ValidationError as error:
        raise ConfigurationError(describe(error, f"scenario {scenario.name}: rules")) from error
    apply_overrides(list(rules.values()), overrides)
