# What `make` can do here: build, demo, test, fuzz, bench, bench-e2e, bench-peers, bench-soak, install, clean.

# Outside the checkout, so that every checkout finds RocksDB compiled: it takes the better part of the build.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/restante/target
PREFIX ?= /usr/local
# One profile for everything, for the same reason.
RELEASE = --release --locked
RESTANTE = $(CARGO_TARGET_DIR)/release/restante

.PHONY: build demo test fuzz bench bench-e2e bench-peers bench-soak install clean

build:
	@tests/install build
	cargo build $(RELEASE)

# `make demo ARGS=--once` ends by itself.
demo: build
	@$(RESTANTE) demo $(ARGS)

# The documentation is for those who work here, so it may link to what is private.
test:
	@tests/install test
	cargo fmt --check
	cargo clippy $(RELEASE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc $(RELEASE) --no-deps --lib --document-private-items
	cargo test $(RELEASE)

# `make fuzz SECONDS=600` takes so long over each target.
SECONDS ?= 180
fuzz: build
	fuzz/run $(SECONDS)

bench: build
	cargo bench --profile release --locked

# Restante beside Postfix and Dovecot, as root: a quarter of an hour, or a minute with ARGS=--quick. Prints Markdown.
bench-peers:
	@tests/install peers
	@cargo bench --profile release --locked --bench peers -- $(ARGS)

# The same, of Restante alone: some minutes.
bench-e2e:
	@tests/install test
	@cargo bench --profile release --locked --bench peers -- --alone $(ARGS)

# Ten minutes at full load; ARGS="--minutes 60" for an hour.
bench-soak:
	@tests/install test
	@cargo bench --profile release --locked --bench soak -- $(ARGS)

install: build
	install -D -m 755 $(RESTANTE) $(DESTDIR)$(PREFIX)/bin/restante
	install -D -m 644 config/restante.toml $(DESTDIR)$(PREFIX)/share/doc/restante/restante.toml

clean:
	cargo clean
