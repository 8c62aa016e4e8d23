"""A model for the model library that says what was recorded, turn by turn."""

from collections.abc import Sequence

from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from bot.agents.llm_loop import OUTPUT_TOOL
from bot.agents.replay_part import Part


def recorded_model(turns: Sequence[Sequence[Part]]) -> FunctionModel:
    """Its turn is the number of answers already given, so it keeps no state of its own."""

    def speak(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn >= len(turns):
            raise UnexpectedModelBehavior(f"the recording ends after {len(turns)} turns")
        return ModelResponse(parts=[_library_part(part) for part in turns[turn]])

    return FunctionModel(speak, model_name="replay")


def _library_part(part: Part) -> ModelResponsePart:
    if part.reply is not None:
        return ToolCallPart(tool_name=OUTPUT_TOOL, args=part.reply)
    if part.call is not None:
        return ToolCallPart(tool_name=part.call, args=part.arguments)
    return TextPart(content=part.say or "")
