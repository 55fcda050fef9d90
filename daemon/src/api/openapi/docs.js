// Shows the document of this daemon; nothing is loaded from elsewhere.
// Found from where the page itself lies, which a proxy may have put below a path of its own.
const page = window.location.origin + window.location.pathname.replace(/\/+$/, "");
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
