// Starts the API viewer on the app's own description.
"use strict";

const viewer = document.getElementById("viewer");
SwaggerUIBundle({
  url: viewer.dataset.description,
  domNode: viewer,
  deepLinking: false,
  defaultModelsExpandDepth: -1,
  docExpansion: "full",
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
