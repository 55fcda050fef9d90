// Shows the document of this daemon; nothing is loaded from elsewhere.
// Found from where the page itself lies, which a proxy may have put below a path of its own.
const page = window.location.origin + window.location.pathname.replace(/\/+$/, "");
// A link of the daemon carries a code of one use behind the `#`, which no server and no log sees. It becomes the cookie of
// a login, and leaves the address at once.
const code = new URLSearchParams(window.location.hash.slice(1)).get("code");
if (code) {
  window.history.replaceState(null, "", window.location.pathname);
  fetch(new URL("api/v2/auth/code", page + "/").href.replace("/docs/api/", "/api/"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
  }).then(async (answer) => {
    const text = answer.ok ? "You are logged in as an admin." : (await answer.json()).message;
    const told = document.createElement("p");
    told.setAttribute("role", "status");
    told.textContent = text;
    document.body.prepend(told);
  });
}
window.ui = SwaggerUIBundle({
  url: new URL("openapi.json", page).href,
  dom_id: "#viewer",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
