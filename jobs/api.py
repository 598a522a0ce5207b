"""The REST API: runs and models; data sets are mounted beside them."""

from ninja import NinjaAPI

api = NinjaAPI(title="MaxFT", version="1", urls_namespace="api")
openai_api = NinjaAPI(title="MaxFT, OpenAI-compatible", version="1", urls_namespace="openai")
