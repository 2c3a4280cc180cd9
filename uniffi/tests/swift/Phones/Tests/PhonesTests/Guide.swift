import Foundation
import Privet

func guide(code: String, folder: URL) async throws {
    // In an app: a KeyWrapper of your own over the Secure Enclave.
    let config = Config(
        storageDir: folder.appendingPathComponent("home").path, deviceName: "Ada's phone", cacheLimitMib: 2048, appVersion: "1")
    let keys = FileKeys(path: folder.appendingPathComponent("home.key").path)
    let client = try await Client.open(config: config, keys: keys)
    if try await !client.status().paired {
        try await client.pair(offer: PairingOffer.parse(qr: code))
    }
    print("compare with the hub:", try await client.safetyNumber())

    // What happens: to be shown, and never to be waited for on the side of the picture.
    let telling = Task {
        for try await event in client.events() {
            switch event {
            case .notified(let notification): print(notification.title)
            case .trustAlert(let what), .devicesChanged(let what): print("to be shown to the person:", what)
            default: break
            }
        }
    }

    let camera = try await client.cameras()[0]
    let live = try await client.openLive(cameraId: camera.id, format: .accessUnits, bufferMs: 500)
    watching: for try await item in live.items() {
        switch item {
        case .format(let codec, let width, let height, _, _, _): print(codec, width, height)
        case .media: break  // for AVSampleBufferDisplayLayer; its trust is pending: the verdict comes with its segment
        case .segment(_, _, _, _, .broken(let why)): print("do not believe what you saw:", why)
        case .segment: break watching  // a few seconds are enough here
        case .gap(_, _, let reason): print("not seen:", reason)
        case .idle, .end: break
        }
    }
    live.stop()

    var clip: ClipInfo?
    while clip == nil {
        clip = try await client.clips(cameraId: nil, fromMs: 0, toMs: .max, page: nil, limit: 50).clips.first { $0.finished }
        if clip == nil { try await Task.sleep(nanoseconds: 1_000_000_000) }
    }
    let film = folder.appendingPathComponent("clip.mp4").path
    try await client.openClip(clipId: clip!.id).exportTo(path: film, withEvidence: true)
    let report = try verifyFile(path: film, trustRoots: client.trustRoots(cameraId: camera.id))
    print("exported, and proven:", report.ok && report.signerKnown)
    try await client.shutDown()
    try await telling.value
}
