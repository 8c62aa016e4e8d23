"""What agents say is repeated in many places; a secret that we hold is blanked in all of them."""

import base64
from urllib.parse import quote

from bot.domain import WaitFor
from tests.stories.actors import approve, nit
from tests.stories.conftest import OpenFactory

WITHOUT_DEPLOYMENTS = {"deploy": {"staging": None, "production": {"workflow": ""}}}


def spellings(secret: str) -> list[str]:
    """As a program might print it."""
    raw = secret.encode()
    return [
        secret,
        base64.b64encode(b"x:" + raw).decode(),
        raw.hex(),
        quote(secret + "/", safe=""),
        f"Authorization: Bearer {secret}",
    ]


async def test_a_secret_of_ours_in_an_agent_s_words_is_shown_nowhere(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=WITHOUT_DEPLOYMENTS)
    secret = factory.stage.settings.secrets()[-1]
    said = " and ".join(spellings(secret))
    review = approve(nit(f"It prints {said}.")).model_copy(update={"summary": f"Seen: {said}"})
    factory.agents.guardian.says(review)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    await factory.shown()
    at = f"/api/tasks/{task.id}"
    paths = [at, f"{at}/evidence", f"{at}/journal", f"{at}/transcripts", f"/tasks/{task.id}"]
    shown = [(await factory.api("GET", path)).text for path in paths]
    shown += [call.raw_body.decode("utf-8", "replace") for call in factory.hub.calls]
    whole = "\n".join(shown)
    assert "[secret]" in whole
    assert whole.count("Seen: ") >= 3, "review, check and evidence repeat it"
    core = secret[4:-4]
    hidden = [core, core.encode().hex(), *(s[8:-8] for s in spellings(secret)[1:4])]
    assert [one for one in hidden if one in whole] == []
