# What was answered when this project was generated; `copier update` writes it anew.
# Sizes follow from it in sizes.tf. What differs between staging and production stands in environments/.
slug                      = "demo"
region                    = "local"
data_location             = "anywhere"
llm_provider              = "openai"
llm_fallback              = "none"
documents                 = true
people_at_peak            = 20
calls_per_person_per_hour = 60
database_pool_size        = 10
monthly_budget            = 50
ci                        = "github"
release_strategy          = "rolling"
