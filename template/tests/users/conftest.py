"""Pages are read as a browser reads them."""

from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser
