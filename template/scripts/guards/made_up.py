"""Make up personal data of six countries, as lines of JSON. Runs where read_corpora.py does."""

import json

from faker import Faker

COUNTRIES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT")
OF_EACH = 40
KINDS = {
    "email": "email",
    "phone": "phone_number",
    "card": "credit_card_number",
    "account": "iban",
    "address": "ipv4_public",
}


def main() -> None:
    for country in COUNTRIES:
        fake = Faker(country)
        Faker.seed(80)
        for _ in range(OF_EACH):
            for kind, maker in KINDS.items():
                print(json.dumps([kind, getattr(fake, maker)()]))
            if country == "en_US":
                print(json.dumps(["national", fake.ssn()]))


if __name__ == "__main__":
    main()
