// Browsers do not let pages that are opened from disk read the search index.
if (location.protocol === "file:") {
  const note = document.createElement("span");
  note.textContent = "Search needs a server: python -m http.server -d site";
  note.style.fontSize = "0.7rem";
  document.querySelector(".md-header__inner").append(note);
}
