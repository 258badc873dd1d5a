// A page of somebody who uses LiveKit's JavaScript SDK as it is; loaded behind livekit-client, driven by the test, which
// calls it with options for the room.
window.person = (options) => {
  const {Room, RoomEvent, VideoQuality} = LivekitClient;
  const room = new Room({dynacast: true, ...options});
  const heard = [];
  const written = [];
  let hearing;

  room.on(RoomEvent.TrackSubscribed, (track) => document.body.append(track.attach()));
  room.on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()));
  room.on(RoomEvent.DataReceived, (data, from, kind, topic) =>
    heard.push([from?.identity ?? "", topic ?? "", new TextDecoder().decode(data)]));
  room.registerTextStreamHandler("letters", async (reader, from) =>
    written.push([from.identity, (await reader.readAll()).length]));
  room.registerRpcMethod("length", async ({payload}) => String(payload.length));

  const pictures = (identity) => [...(room.remoteParticipants.get(identity)?.videoTrackPublications.values() ?? [])];

  return {
    room, heard, written,

    async join({url, token}) {
      await room.connect(url, token);
      await room.localParticipant.enableCameraAndMicrophone();
      return room.localParticipant.sid;
    },

    // identity -> {energy, frames, width, codec} of what is received of the others
    async perceived() {
      const seen = {};
      for (const other of room.remoteParticipants.values()) {
        const entry = (seen[other.identity] = {energy: 0, frames: 0, width: 0, sid: other.sid});
        for (const {track} of other.trackPublications.values()) {
          const report = await track?.getRTCStatsReport();
          for (const each of report?.values() ?? []) {
            if (each.type !== "inbound-rtp") continue;
            const codec = report.get(each.codecId)?.mimeType ?? "";
            if (each.kind === "audio") entry.energy = each.totalAudioEnergy ?? 0;
            else Object.assign(entry, {frames: each.framesDecoded, width: each.frameWidth ?? 0, codec});
          }
        }
      }
      return seen;
    },

    // identity -> {time, sound}: for how long its picture went on in half a second, and the loudest sample meanwhile
    async played() {
      hearing ??= new AudioContext();
      await hearing.resume();
      const seen = {};
      for (const other of room.remoteParticipants.values()) {
        const entry = (seen[other.identity] = {time: 0, sound: 0});
        const [video] = pictures(other.identity).flatMap(({track}) => track?.attachedElements ?? []);
        const [audio] = [...other.audioTrackPublications.values()].flatMap(({track}) => track ?? []);
        const before = video?.currentTime ?? 0;
        const ear = hearing.createAnalyser();
        const from = audio && hearing.createMediaStreamSource(new MediaStream([audio.mediaStreamTrack]));
        from?.connect(ear);
        const samples = new Float32Array(ear.fftSize);
        for (let look = 0; look < 25; look++) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          ear.getFloatTimeDomainData(samples);
          entry.sound = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), entry.sound);
        }
        from?.disconnect();
        entry.time = (video?.currentTime ?? 0) - before;
      }
      return seen;
    },

    async say({text, topic, reliable}) {
      await room.localParticipant.publishData(new TextEncoder().encode(text), {reliable, topic});
    },

    async write(length) {
      await room.localParticipant.sendText("x".repeat(length), {topic: "letters"});
    },

    async ask({who, length}) {
      return room.localParticipant.performRpc({destinationIdentity: who, method: "length", payload: "y".repeat(length)});
    },

    wish({of, quality}) {
      for (const publication of pictures(of)) publication.setVideoQuality(VideoQuality[quality]);
    },

    // the rids of the layers that are being sent, lowest first
    sending() {
      const rids = [];
      for (const {track} of room.localParticipant.videoTrackPublications.values()) {
        for (const {rid, active} of track?.sender?.getParameters().encodings ?? []) if (active) rids.push(rid);
      }
      return rids;
    },

    want({of, wanted}) {
      for (const publication of pictures(of)) publication.setSubscribed(wanted);
    },

    wantAll({of, wanted}) {
      for (const publication of room.remoteParticipants.get(of).trackPublications.values()) {
        publication.setSubscribed(wanted);
      }
    },

    allow(all) {
      room.localParticipant.setTrackSubscriptionPermissions(all);
    },

    async lose(scenario) {
      const back = new Promise((resolve) => room.once(RoomEvent.Reconnected, resolve));
      const began = performance.now();
      await room.simulateScenario(scenario);
      await back;
      return Math.round(performance.now() - began);
    },
  };
};
