"""What can go wrong on the way to a model.

The sentences are read by people who set the app up: they name the setting to look at, and never
hold a key or what the provider wrote, which may quote either.
"""

from app.core.errors import Conflict, Forbidden, Invalid, TooLarge, Unavailable


class ModelUnavailable(Unavailable):
    """No answer came, and asking again may help. The parent of what a retry or another model cures.

    `billed` tells whether the provider had begun to work, so that its tokens are counted.
    """

    billed = False


class ModelUnreachable(ModelUnavailable):
    """Nothing answers at LLM_BASE_URL."""


class ModelThrottled(ModelUnavailable):
    """The provider asks us to slow down."""


class ModelTooSlow(ModelUnavailable):
    """A deadline passed."""

    billed = True


class AnswerCut(ModelUnavailable):
    """The stream ended before the answer did."""

    billed = True


class AnswerMalformed(ModelUnavailable):
    """What came is not what the wire format says."""

    billed = True


class ModelMisconfigured(Unavailable):
    """Asking again does not help before a setting changes."""


class KeyRefused(ModelMisconfigured):
    """The provider does not accept LLM_API_KEY."""


class ModelUnknown(ModelMisconfigured):
    """LLM_MODEL or LLM_BASE_URL is not known there."""


class ModelQuotaSpent(ModelMisconfigured):
    """The account at the provider has no money left."""


class RequestRefused(Conflict):
    """The provider does not accept the request as it is."""


class ContextTooLong(TooLarge):
    """The messages do not fit the model's window."""


class ContentRefused(Invalid):
    """The provider's own content filter refused the question."""


class QuestionTooLong(TooLarge):
    pass


class QuestionEmpty(Invalid):
    pass


class QuestionRefused(Invalid):
    """An input guard refused the question."""


class AnswerWithheld(Forbidden):
    """An output guard stopped the answer; what was sent before had passed it."""
