"use strict";
document.getElementById("to-github").submit();
