import AVKit
import HomeCore
import Privet
import SwiftUI
import UniformTypeIdentifiers

struct ClipView: View {
    let home: any Home
    let clip: String
    @State private var loader: ClipLoader?
    @State private var player: AVPlayer?
    @State private var said = "Fetching"
    @State private var exported: URL?

    var body: some View {
        VStack(alignment: .leading, spacing: 12) {
            if let player { VideoPlayer(player: player).aspectRatio(16 / 9, contentMode: .fit) }
            Text(said)
            if let recording = loader?.recording {
                Button("Check every byte") { attempt { explain(try await recording.verify()) } }
                Button("Save with proof") {
                    attempt {
                        let file = FileManager.default.temporaryDirectory.appending(path: "clip.mp4")
                        try await recording.export(to: file.path, withEvidence: true)
                        exported = file
                        return "Ready to be saved, with its proof."
                    }
                }
                if let exported { ShareLink(item: exported) }
            }
            Spacer()
        }
        .padding()
        .task(id: clip) { await open() }
        .onDisappear {
            player?.pause()
            loader?.stop()
            if let exported { try? FileManager.default.removeItem(at: exported) }
        }
    }

    private func open() async {
        do {
            let recording = try await home.openClip(clip)
            said = explain(recording.trust())
            let loader = ClipLoader(recording) { why in said = why }
            (self.loader, player) = (loader, AVPlayer(playerItem: AVPlayerItem(asset: loader.asset)))
            player?.play()
        } catch {
            said = advice(error).text
        }
    }

    private func attempt(_ work: @escaping @MainActor () async throws -> String) {
        said = "Working"
        Task {
            do { said = try await work() } catch { said = advice(error).text }
        }
    }
}

/// Feeds AVPlayer from verified bytes: it asks for ranges of an address that only this object knows how to read.
final class ClipLoader: NSObject, AVAssetResourceLoaderDelegate, @unchecked Sendable {
    let recording: any Recording
    let asset: AVURLAsset
    private let failed: @MainActor (String) -> Void
    private let queue = DispatchQueue(label: "clip", attributes: .concurrent)

    init(_ recording: any Recording, failed: @escaping @MainActor (String) -> Void) {
        (self.recording, self.failed) = (recording, failed)
        asset = AVURLAsset(url: URL(string: "privet://clip/clip.mp4")!)
        super.init()
        asset.resourceLoader.setDelegate(self, queue: queue)
    }

    /// Ends what a read waits for.
    func stop() { recording.stop() }

    func resourceLoader(
        _ loader: AVAssetResourceLoader, shouldWaitForLoadingOfRequestedResource request: AVAssetResourceLoadingRequest
    ) -> Bool {
        Task.detached { [self] in
            do {
                // AVPlayer wants a length before anything else, and it is known when all is here.
                let length = try await recording.length()
                queue.async { self.answer(request, length) }
            } catch {
                fail(request, error)
            }
        }
        return true
    }

    private func answer(_ request: AVAssetResourceLoadingRequest, _ length: Int) {
        if let about = request.contentInformationRequest {
            about.contentType = UTType.mpeg4Movie.identifier
            about.contentLength = Int64(length)
            about.isByteRangeAccessSupported = true
        }
        if let wanted = request.dataRequest {
            let from = Int(wanted.requestedOffset)
            let count = wanted.requestsAllDataToEndOfResource ? max(0, length - from) : wanted.requestedLength
            do {
                try ClipBytes(recording).read(from: from, length: count, wanted: { !request.isCancelled }, give: wanted.respond(with:))
            } catch {
                return fail(request, error)
            }
        }
        if !request.isCancelled { request.finishLoading() }
    }

    private func fail(_ request: AVAssetResourceLoadingRequest, _ error: any Error) {
        if !request.isCancelled { request.finishLoading(with: error) }
        let why = advice(error).text
        Task { @MainActor in failed(why) }
    }
}
