// Voice notes: a recording is in the page only until it goes with a message.

const every = 100; // ms between looks at how loud it is
const longest = 600000; // ms

/**
 * Records by the microphone. tick is told how many ms it has been, whether that is enough, and
 * whether the microphone is gone.
 * stop ends it and returns a file; its voice has what the API is told of it.
 */
export async function record(tick) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const off = () => stream.getTracks().forEach((track) => track.stop());
  try {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Uint8Array(analyser.fftSize);
    const recorder = new MediaRecorder(stream);
    const pieces = [];
    const loud = [];
    recorder.ondataavailable = (e) => pieces.push(e.data);
    recorder.start();
    const begun = performance.now();
    const passed = () => Math.round(performance.now() - begun);
    let asked = false;
    const over = new Promise((done) => {
      recorder.onstop = () => {
        done();
        if (!asked) tick(passed(), true, true);
      };
    });
    const timer = setInterval(() => {
      analyser.getByteTimeDomainData(samples);
      loud.push(Math.max(...samples.map((s) => Math.abs(s - 128))));
      tick(passed(), passed() >= longest);
    }, every);
    return {
      stop: async () => {
        asked = true;
        clearInterval(timer);
        const ms = passed();
        if (recorder.state !== 'inactive') recorder.stop();
        off();
        context.close();
        await over;
        const [type] = recorder.mimeType.split(';');
        return Object.assign(new File(pieces, `voice.${type.split('/')[1]}`, { type }), { voice: { ms, waveform: waveform(loud) } });
      },
    };
  } catch (e) {
    off();
    throw e;
  }
}

// waveform brings what was heard to at most 64 values beside the loudest, in hexadecimal.
function waveform(loud) {
  const count = Math.min(64, loud.length || 1);
  const most = Math.max(1, ...loud);
  const value = (i) => Math.round(255 * Math.max(0, ...loud.slice(Math.floor(i * loud.length / count), Math.ceil((i + 1) * loud.length / count))) / most);
  return Array.from({ length: count }, (_, i) => value(i).toString(16).padStart(2, '0')).join('');
}
