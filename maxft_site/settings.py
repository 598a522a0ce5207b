"""The site's settings. Everything that differs between machines comes from the environment."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import sys
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import platformdirs

PACKAGE_DIR = Path(__file__).resolve().parent
BASE_DIR = PACKAGE_DIR.parent
"""Holds the packages: the checkout, or site-packages."""
IS_INSTALLED = (PACKAGE_DIR / "templates").is_dir()
"""From a wheel, which carries templates/ and static/ in this package and has no manage.py."""
ASSETS_DIR = PACKAGE_DIR if IS_INSTALLED else BASE_DIR
# -P: nothing is imported from the folder where somebody happens to type the command.
MODULE = ["-P", "-m", "maxft_site"] if IS_INSTALLED else [str(BASE_DIR / "manage.py")]
MAXFT = [sys.executable, *MODULE]
"""The command `maxft`, for child processes."""


def env_flag(name: str, *, default: bool) -> bool:
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def secret_in(folder: Path, name: str) -> str:
    """A secret, made once and kept private in the data directory."""
    path = folder / name
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(file, "w") as handle:
        secret = secrets.token_urlsafe(64)
        handle.write(secret)
    return secret


def redis_socket(folder: Path) -> Path:
    """Where the embedded Redis listens. Systems allow such a path some hundred bytes only."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= 100:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(f"/tmp/maxft-{os.getuid()}-{name}") / "redis.sock"


def default_data_dir() -> Path:
    """The platform's folder for an application's data; in a checkout its `var/`."""
    if IS_INSTALLED:
        return platformdirs.user_data_path("maxft", appauthor=False)
    return BASE_DIR / "var"


DATA_DIR = Path(os.environ.get("MAXFT_DATA_DIR") or default_data_dir()).resolve()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
DATASETS_DIR = DATA_DIR / "datasets"
UPLOADS_DIR = DATA_DIR / "uploads"
RUNS_DIR = DATA_DIR / "runs"
MODEL_ROOTS = [DATA_DIR / "models", *map(Path, env_list("MAXFT_MODEL_ROOTS"))]
"""Where folders of models lie that every member may tune. Others are not looked at."""

SECRET_KEY = os.environ.get("MAXFT_SECRET_KEY") or secret_in(DATA_DIR, "secret_key")
DEBUG = env_flag("MAXFT_DEBUG", default=False)
# Probes and scripts of this machine are answered whatever other names the site has.
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env_list("MAXFT_ALLOWED_HOSTS")]
SERVED_BY_HTTPS = env_flag("MAXFT_HTTPS", default=False)
CSRF_TRUSTED_ORIGINS = env_list("MAXFT_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "django_rq",
    "ninja",
    "maxft_site.web",
    "datasets_app",
    "jobs",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "maxft_site.web.middleware.NulMiddleware",
    "maxft_site.web.middleware.FineTuneErrorMiddleware",
]

ROOT_URLCONF = "maxft_site.urls"
ASGI_APPLICATION = "maxft_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ASSETS_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "maxft_site.web.context.shell",
            ],
        },
    }
]

DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: the only setting without "database is locked" under four writers.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-20000;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL") or (
    f"unix://:{secret_in(DATA_DIR, 'redis_password')}@{redis_socket(DATA_DIR)}?db=0"
)
RQ_QUEUES = {
    name: {
        "URL": REDIS_URL,
        "DEFAULT_TIMEOUT": -1,
        "DEFAULT_RESULT_TTL": 3600,
        "SERIALIZER": "json",
    }
    for name in ("training", "light", "fetch")
}
RQ = {"JOB_CLASS": "jobs.training.worker.AllowedJob"}
# Its pages in the admin are for whoever is staff, whatever they may do, and touch jobs behind the
# back of the runs; the page Queue shows what works and waits.
RQ_SHOW_ADMIN_LINK = False
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # redis-py 8 would close idle sockets after five seconds
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "maxft"},
    }
}

LOGIN_URL = "web:login"
LOGIN_REDIRECT_URL = "jobs:home"
LOGOUT_REDIRECT_URL = "web:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "maxft_site.web.models.EndKeys"}]

STATIC_URL = "static/"
STATICFILES_DIRS = [ASSETS_DIR / "static"]
# Served straight from static/: no collecting, nothing to forget after an update.
WHITENOISE_USE_FINDERS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SECURE_REDIRECT_EXEMPT = ["^healthz$"]  # probes come without the proxy
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SERVED_BY_HTTPS
if SERVED_BY_HTTPS:
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
else:
    # Without a proxy that speaks https these four can't hold; MAXFT_HTTPS=1 turns them on.
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
USE_THOUSAND_SEPARATOR = False

SITE_URL = os.environ.get("MAXFT_SITE_URL", "").rstrip("/")
"""Under which address people reach the site; trackers of experiments are told it with each run."""
MAX_UPLOAD_BYTES = int(os.environ.get("MAXFT_MAX_UPLOAD_BYTES") or 2 * 1024**3)
DATA_QUOTA_BYTES = int(os.environ.get("MAXFT_DATA_QUOTA_BYTES") or 100 * 1024**3)
PRIVATE_WEBHOOKS = env_flag("MAXFT_PRIVATE_WEBHOOKS", default=False)
"""Whether webhooks may lead to this machine and to private networks."""
APPRISE_SERVICES = env_list(
    "MAXFT_APPRISE_SERVICES", "discord,gchat,pbul,pover,slack,tgram,wxteams"
)
"""Schemes of Apprise's that may be used: these are sent to hosts that are fixed in its source."""
# E-mail is off until a sender is named. The password stays in the environment.
DEFAULT_FROM_EMAIL = os.environ.get("MAXFT_EMAIL_FROM", "")
EMAIL_BACKEND = os.environ.get("MAXFT_EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = os.environ.get("MAXFT_EMAIL_HOST", "localhost")
EMAIL_USE_SSL = env_flag("MAXFT_EMAIL_SSL", default=False)
EMAIL_USE_TLS = env_flag("MAXFT_EMAIL_STARTTLS", default=False)
USUAL_PORT = 465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25
EMAIL_PORT = int(os.environ.get("MAXFT_EMAIL_PORT") or USUAL_PORT)
EMAIL_HOST_USER = os.environ.get("MAXFT_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("MAXFT_EMAIL_PASSWORD", "")
EMAIL_TIMEOUT = 20
MAX_DEVICES = int(os.environ.get("MAXFT_MAX_DEVICES") or 0)
"""Devices that one run may have; 0: what there is on the machine of the process that asks."""
MAX_WAITING_RUNS = int(os.environ.get("MAXFT_MAX_WAITING_RUNS") or 20)
"""Runs of one person that may wait or work at once."""
MAX_RUNNING_RUNS = int(os.environ.get("MAXFT_MAX_RUNNING_RUNS") or 0)
"""Of these, how many may work at once; 0: as many as there are workers."""
OWNER_WEIGHT = float(os.environ.get("MAXFT_OWNER_WEIGHT") or 1)
"""How much more device time an owner of the site is due than a member, where both wait."""
QUANTUM_SECONDS = float(os.environ.get("MAXFT_QUANTUM_SECONDS") or 900)
"""So long a run trains before it may have to make room for who is further behind; 0: to its end."""
MAX_BODY_BYTES = 2 * 1024**2
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
# A trainer that tells nothing for so long is taken for stuck; a step must be faster than that.
STALL_SECONDS = float(os.environ.get("MAXFT_STALL_SECONDS") or 1800)
# While it fetches a model, opens it and makes tokens, it has little to tell and more time.
LOAD_SECONDS = float(os.environ.get("MAXFT_LOAD_SECONDS") or 6 * 3600)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("MAXFT_LOG_LEVEL") or "WARNING"},
}
NINJA_PAGINATION_PER_PAGE = 50


def is_loopback(url: str) -> bool:
    """Whether a Redis address can only be reached from this machine."""
    parts = urlsplit(url)
    return parts.scheme == "unix" or parts.hostname in {"localhost", "127.0.0.1", "::1"}
