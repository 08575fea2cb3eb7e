"""Pages are read as a browser reads them; mails as their readers do."""

from tests.auth.conftest import mails_to as mails_to
from tests.auth.conftest import new_address as new_address
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser
