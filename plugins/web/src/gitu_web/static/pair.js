// Reads the picture on a terminal with the camera: by the browser itself where it can, else by jsQR.
const scan = document.querySelector(".scan");
const button = scan?.querySelector("button.camera"), video = scan?.querySelector("video"), note = scan?.querySelector(".note");
const tell = (text) => { note.hidden = false; note.textContent = text; };

async function reader() {
  if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async () => (await detector.detect(video))[0]?.rawValue;
  }
  await new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = scan.dataset.reader;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  return async () => {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    if (!canvas.width) return undefined;
    pen.drawImage(video, 0, 0);
    const { data, width, height } = pen.getImageData(0, 0, canvas.width, canvas.height);
    return window.jsQR(data, width, height)?.data;
  };
}

button?.addEventListener("click", async () => {
  if (!navigator.mediaDevices) return tell(scan.dataset.blind); // browsers keep it from pages without TLS
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.hidden = false;
    await video.play();
    const read = await reader();
    const look = async () => {
      const found = await read();
      const request = found && new URL(found, location.href);
      if (request && request.pathname === "/pair" && request.searchParams.get("request")) {
        video.srcObject.getTracks().forEach((track) => track.stop());
        location.href = `/pair?request=${encodeURIComponent(request.searchParams.get("request"))}`;
      } else setTimeout(look, 200);
    };
    look();
  } catch (error) {
    tell(error.message);
  }
});
