"""Pages are read as a browser reads them."""

from tests.pages import browser as browser
