#!/bin/sh
# Runs once, when PostgreSQL's volume is new: the database, its owner, and the role the product
# works under. Neither is a superuser, and the second owns nothing, so that row-level security
# binds it. $DATABASE_PASSWORD is the owner's.
set -eu

psql -v ON_ERROR_STOP=1 -v password="${DATABASE_PASSWORD:?}" -U "$POSTGRES_USER" << 'SQL'
CREATE ROLE abtrac_link_app NOLOGIN;
CREATE ROLE link LOGIN PASSWORD :'password' IN ROLE abtrac_link_app;
CREATE DATABASE link OWNER link;
REVOKE CONNECT ON DATABASE link FROM PUBLIC;
SQL
