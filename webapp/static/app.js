// Makes the pages quicker to use; all of them work without it.
"use strict";

const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function later(milliseconds, action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

// The payment follows the terms as one types.
for (const form of document.querySelectorAll("[data-terms]")) {
  const output = form.querySelector("[data-payment]");
  const paymentField = form.querySelector("input[name=payments]");
  const update = () => {
    const payment = Number(form.amount.value) / Number(form.duration.value);
    const known = Number.isFinite(payment) && payment > 0;
    if (output) output.textContent = known ? `${money.format(payment)} ${output.dataset.currency}` : "the amount over the duration";
    if (paymentField && known) paymentField.value = payment.toFixed(2);
  };
  form.amount.addEventListener("input", update);
  form.duration.addEventListener("input", update);
  if (output && form.amount.value) update();
}

// The account is looked up as one types.
const found = document.getElementById("account-found");
if (found) {
  const field = document.getElementById("account_id");
  const show = (kind, text) => {
    found.className = `found ${kind}`;
    found.textContent = text;
  };
  const look = async () => {
    const number = field.value.trim();
    if (!/^\d{1,19}$/.test(number)) return show("", "");
    try {
      const response = await fetch(found.dataset.lookup.replace(/0$/, number));
      if (!response.ok) return show("", "");
      const account = await response.json();
      if (field.value.trim() === number) show(account.known ? "known" : "unknown", account.text);
    } catch {
      show("", "");
    }
  };
  field.addEventListener("input", later(200, look));
  if (field.value) look();
}

// "What if": the answer changes with the terms.
for (const form of document.querySelectorAll("[data-live]")) {
  const problem = form.querySelector(".live-problem");
  let latest = 0;
  const ask = async () => {
    const mine = ++latest;
    try {
      const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const answer = page.getElementById("answer");
      if (mine !== latest) return;
      if (answer) document.getElementById("answer").replaceWith(document.adoptNode(answer));
      const error = page.querySelector(".field small.error, .alert p");
      problem.textContent = answer ? "" : (error ? error.textContent : "There is no answer to these terms.");
      problem.hidden = Boolean(answer);
    } catch {
      // Offline: the button still sends the form.
    }
  };
  form.addEventListener("input", later(250, ask));
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
