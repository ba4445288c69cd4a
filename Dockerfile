# The one image of the server shape: web, worker and scheduler differ only in their command.
FROM python:3.11-slim AS build

WORKDIR /app
COPY requirements/runtime.txt requirements/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY . .
# Invented: the settings of a server are read, but nothing is connected to and nothing is kept.
RUN DATABASE_URL=postgres://link:invented@db.invalid/link REDIS_URL=redis://redis.invalid \
    SECRET_KEY=invented CREDENTIAL_KEYS=aW52ZW50ZWQtZm9yLXRoZS1kZXBsb3ktY2hlY2stMzI= \
    /venv/bin/python manage.py collectstatic --noinput \
    && /venv/bin/python -m compileall -q .

FROM python:3.11-slim

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --system --gid 10001 link \
    && useradd --system --uid 10001 --gid link --home-dir /app --no-create-home link
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
USER 10001:10001

EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "abtrac_link.wsgi:application"]
