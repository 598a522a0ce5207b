"""The site's settings for tests: a private data directory, no Redis, quick passwords."""

import atexit
import os
import shutil
import tempfile

FOLDER = tempfile.mkdtemp(prefix="maxft-tests-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ["MAXFT_DATA_DIR"] = FOLDER
os.environ["MAXAILLM_CACHE"] = f"{FOLDER}/cache"
# What a test starts is the real site, in this folder if the test names no other.
os.environ["DJANGO_SETTINGS_MODULE"] = "maxft_site.settings"
os.environ.pop("DATABASE_URL", None)
# Models of tests lie in temporary folders.
os.environ["MAXFT_MODEL_ROOTS"] = tempfile.gettempdir()
# So that a test of two devices runs on one core too.
os.environ["MAXFT_MAX_DEVICES"] = "2"

from maxft_site.settings import *  # noqa: E402, F403

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
