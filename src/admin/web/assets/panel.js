// What the panel does better with a script; everything works without it.
"use strict";

const root = document.documentElement;

// Light or dark: as the system has it, unless somebody chose.
const chosen = localStorage.getItem("theme");
if (chosen) root.dataset.theme = chosen;
for (const button of document.querySelectorAll("[data-theme-switch]")) {
	button.hidden = false;
	button.addEventListener("click", () => {
		const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
		root.dataset.theme = dark ? "light" : "dark";
		localStorage.setItem("theme", root.dataset.theme);
	});
}

// Copy what is shown once.
for (const button of document.querySelectorAll("[data-copy]")) {
	button.hidden = false;
	button.addEventListener("click", async () => {
		try {
			await navigator.clipboard.writeText(button.dataset.copy);
			button.lastChild.textContent = "Copied";
		} catch {
			getSelection().selectAllChildren(button.previousElementSibling);
		}
	});
}

async function load(address) {
	const answer = await fetch(address, { headers: { Accept: "text/html" } });
	if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
	return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Say whether a name can be had while it is typed.
for (const input of document.querySelectorAll("[data-check]")) {
	const hint = document.getElementById(input.getAttribute("aria-describedby")).querySelector("[data-hint]");
	const before = hint.textContent;
	let timer;
	hint.setAttribute("aria-live", "polite");
	input.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(async () => {
			const asked = input.value.trim();
			if (!asked) {
				hint.textContent = before;
				hint.className = "hint";
				return;
			}
			try {
				const answer = await fetch(`${input.dataset.check}?name=${encodeURIComponent(asked)}`);
				const { free, words } = await answer.json();
				if (asked !== input.value.trim()) return;
				hint.textContent = words;
				hint.className = free ? "hint good" : "hint bad";
			} catch {
				hint.textContent = before;
			}
		}, 200);
	});
}

// Ask before deleting without leaving the page: the question is the one of the page that the link leads to.
document.addEventListener("click", async (event) => {
	const link = event.target.closest("a[data-ask]");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
	event.preventDefault();
	try {
		const question = (await load(link.href)).querySelector("[data-confirm]");
		const dialog = document.createElement("dialog");
		dialog.setAttribute("aria-label", question.querySelector("h1").textContent);
		dialog.append(question);
		dialog.addEventListener("click", (inside) => {
			if (inside.target === dialog || inside.target.closest("[data-cancel]")) {
				inside.preventDefault();
				dialog.close();
			}
		});
		dialog.addEventListener("close", () => {
			dialog.remove();
			link.focus();
		});
		document.body.append(dialog);
		dialog.showModal();
		dialog.querySelector("[data-cancel]").focus();
	} catch {
		location.href = link.href;
	}
});

// A form is sent once.
document.addEventListener("submit", (event) => {
	if (event.target.dataset.sent) event.preventDefault();
	event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
	for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Rows that follow what happens, while somebody looks and nobody works in them.
const INTERVAL = 5000;
if (document.querySelector("[data-live]")) {
	setInterval(async () => {
		const live = [...document.querySelectorAll("[data-live]")];
		if (document.hidden || document.querySelector("dialog") || live.some((part) => part.contains(document.activeElement))) return;
		try {
			const fresh = [...(await load(location.href)).querySelectorAll("[data-live]")];
			live.forEach((part, at) => {
				if (fresh[at] && fresh[at].innerHTML !== part.innerHTML) part.replaceChildren(...fresh[at].childNodes);
			});
		} catch {
			// The next time, or when the page is loaded again.
		}
	}, INTERVAL);
}
