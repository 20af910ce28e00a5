// What pages do beyond HTML: they hear of news, and then read their live parts again (htmx does the reading).
(function () {
  "use strict";
  var stream = null;
  var waiting = null;
  var where = document.body.dataset.live;

  // Many events in a row are one reason to read again.
  function news() {
    if (waiting !== null) { return; }
    waiting = setTimeout(function () {
      waiting = null;
      document.body.dispatchEvent(new CustomEvent("news"));
    }, 1000);
  }

  function listen() {
    if (!where || stream !== null || document.hidden) { return; }
    stream = new EventSource(where);
    (document.body.dataset.kinds || "").split(",").filter(Boolean).forEach(function (kind) {
      stream.addEventListener(kind, news);
    });
    stream.addEventListener("end", function () { close(); });
  }

  function close() {
    if (stream !== null) { stream.close(); stream = null; }
  }

  // A page that nobody sees holds no connection.
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) { close(); } else { listen(); news(); }
  });
  window.addEventListener("pagehide", close);
  listen();

  // What is chosen from a list takes effect at once; without a script there is a button.
  document.querySelectorAll("select[data-send]").forEach(function (select) {
    var button = select.form.querySelector("button");
    if (button) { button.hidden = true; }
    select.addEventListener("change", function () { select.form.requestSubmit(); });
  });

  // One box ticks all of a table.
  document.addEventListener("change", function (event) {
    var box = event.target;
    if (!box.matches || !box.matches("input[data-all]")) { return; }
    box.closest("form").querySelectorAll("input[name='" + box.dataset.all + "']").forEach(function (one) {
      one.checked = box.checked;
    });
  });
}());
