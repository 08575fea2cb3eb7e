from tests.prompts.conftest import operator as operator
from tests.prompts.conftest import operators as operators
from tests.prompts.conftest import seeded as seeded
