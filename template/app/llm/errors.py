"""What can go wrong on the way to a model.

The sentences are for people who set the app up: they name the setting to look at, and never hold a
key or what the provider wrote, which may quote either. Others get them in plain words, see
`steps/degradation.py`.
"""

from app.core.errors import Conflict, Forbidden, Invalid, Problem, TooLarge, Unavailable


class NotBilled:
    """The provider refused before it worked: what was reserved is given back in full."""


def billed(problem: Problem | None) -> bool:
    """Whether the provider may have counted tokens for a call that ended like this."""
    if isinstance(problem, PersonAnswers) and isinstance(problem.__cause__, Problem):
        problem = problem.__cause__
    return not isinstance(problem, NotBilled)


class ModelUnavailable(Unavailable):
    """No answer came, and asking again, or another model, may help."""

    wait: float | None = None
    """Seconds that the provider asks us to wait; None when it does not say."""


class ModelDown(NotBilled, ModelUnavailable):
    """The provider answers with an error of its own."""


class ModelUnreachable(NotBilled, ModelUnavailable):
    """Nothing answers at LLM_BASE_URL."""


class ModelThrottled(NotBilled, ModelUnavailable):
    """The provider asks us to slow down."""


class ModelResting(NotBilled, ModelUnavailable):
    """The provider failed so often that it is left alone for a moment."""


class ModelBusy(NotBilled, ModelUnavailable):
    """More people ask at once than may wait here."""


class ModelTooSlow(ModelUnavailable):
    """A deadline passed."""


class AnswerCut(ModelUnavailable):
    """The stream ended before the answer did."""


class ToolsWithoutEnd(ModelUnavailable):
    """The model asks for tools again and again and never answers."""


class AnswerNotAsAsked(ModelUnavailable):
    """Asked twice, the model did not answer in the form that was asked for."""


class AnswerMalformed(ModelUnavailable):
    """What came is not what the wire format says."""


class ModelMisconfigured(NotBilled, Unavailable):
    """Asking again does not help before a setting changes."""


class KeyRefused(ModelMisconfigured):
    """The provider does not accept LLM_API_KEY."""


class ModelUnknown(ModelMisconfigured):
    """LLM_MODEL or LLM_BASE_URL is not known there."""


class ModelQuotaSpent(ModelMisconfigured):
    """The account at the provider has no money left."""


class RequestRefused(NotBilled, Conflict):
    """The provider does not accept the request as it is."""


class ContextTooLong(NotBilled, TooLarge):
    """The messages do not fit the model's window."""


class ContentRefused(NotBilled, Invalid):
    """The provider's own content filter refused the question."""


class QuestionTooLong(TooLarge):
    pass


class QuestionEmpty(Invalid):
    pass


class QuestionRefused(Invalid):
    """An input guard refused the question."""


class AnswerWithheld(Forbidden):
    """An output guard stopped the answer; what was sent before had passed it."""


class AnswerInReview(AnswerWithheld):
    """A person looks at it first; then whoever asked may read it."""

    reason = "guard"


class PersonAnswers(AnswerInReview):
    """No model can answer, so a person will."""

    reason = "degraded"


class ModelNotPermitted(Forbidden):
    """The person's role may not use models."""


class NoLongerHere(Forbidden):
    """Whoever asked has left or is suspended, or their session or key ended meanwhile."""
