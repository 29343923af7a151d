// Runs before the first paint, so that a chosen theme does not flash: a plain
// script, not a module, which would be deferred.
(function () {
  try {
    var theme = localStorage.getItem("handscroll.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's theme is used.
  }
})();
