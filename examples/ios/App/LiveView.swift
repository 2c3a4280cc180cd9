import AVFoundation
import HomeCore
import Privet
import SwiftUI

struct LiveView: View {
    let home: any Home
    let camera: Camera
    @State private var screen = Screen()

    var body: some View {
        VStack(alignment: .leading, spacing: 8) {
            ZStack {
                LayerView(home: home, camera: camera.id) { screen = $0 }
                // What was not the camera's is not to be seen.
                if screen.trust == .broken || screen.trust == .nothing { Color.black }
            }
            .aspectRatio(screen.height > 0 ? CGFloat(screen.width) / CGFloat(screen.height) : 16 / 9, contentMode: .fit)
            ForEach(told, id: \.self) { Text($0) }.padding(.horizontal)
            Spacer()
        }
        .navigationTitle(camera.name)
    }

    private var told: [String] {
        var lines: [String] = []
        if let captured = screen.capturedMs { lines.append(clock(captured)) }
        switch screen.trust {
        case .nothing: lines.append("Waiting for the first picture")
        case .checking: lines.append("From this home; signatures are being checked")
        case .following: lines.append("Signed by this camera up to a moment ago (\(screen.why))")
        case .verified: lines.append("Signed by this camera (\(screen.why))")
        case .broken: lines.append("Not this camera's pictures: \(screen.why)")
        }
        if screen.broken > 0 { lines.append("\(screen.broken) pieces of this view were not this camera's") }
        if let gap = screen.gap { lines.append(explain(gap)) }
        if screen.substream { lines.append("Smaller pictures: the link is slow") }
        if screen.quiet { lines.append("No new pictures") }
        if let ended = screen.ended { lines.append(ended) }
        return lines
    }
}

/// A layer that plays while it is on the screen.
private struct LayerView: UIViewRepresentable {
    let home: any Home
    let camera: String
    let told: @MainActor (Screen) -> Void

    func makeCoordinator() -> Playing { Playing() }

    func makeUIView(context: Context) -> DisplayView {
        let view = DisplayView()
        context.coordinator.play(home, camera, view.display, told)
        return view
    }

    func updateUIView(_ view: DisplayView, context: Context) {}

    static func dismantleUIView(_ view: DisplayView, coordinator: Playing) { coordinator.stop() }
}

private final class DisplayView: UIView {
    override static var layerClass: AnyClass { AVSampleBufferDisplayLayer.self }
    var display: AVSampleBufferDisplayLayer { layer as! AVSampleBufferDisplayLayer }
}

@MainActor
private final class Playing {
    private var opening: Task<Void, Never>?
    private var pump: LivePump?

    func play(_ home: any Home, _ camera: String, _ layer: AVSampleBufferDisplayLayer, _ told: @escaping @MainActor (Screen) -> Void) {
        layer.videoGravity = .resizeAspect
        let decoder = LayerDecoder(layer.sampleBufferRenderer)
        opening = Task {
            do {
                let source = try await home.openLive(camera)
                guard !Task.isCancelled else { return source.stop() }
                let pump = LivePump(source, decoder) { screen in Task { @MainActor in told(screen) } }
                self.pump = pump
                pump.start()
            } catch {
                var screen = Screen()
                screen.ended = advice(error).text
                told(screen)
            }
        }
    }

    /// The pump ends within the wait of one call; nobody waits for it on the main thread.
    func stop() {
        opening?.cancel()
        if let pump { DispatchQueue.global().async { pump.stop() } }
        pump = nil
    }
}

/// Gives compressed pictures to the layer's renderer, which decodes them; each is to be shown at once.
private final class LayerDecoder: PictureDecoder, @unchecked Sendable {
    struct Refused: LocalizedError {
        let errorDescription: String?
    }

    private let renderer: AVSampleBufferVideoRenderer
    private var format: CMVideoFormatDescription?

    init(_ renderer: AVSampleBufferVideoRenderer) { self.renderer = renderer }

    func configure(_ new: VideoFormat) throws {
        let type: CMVideoCodecType
        switch new.codec.prefix(4) {
        case "avc1", "avc3": type = kCMVideoCodecType_H264
        case "hvc1", "hev1": type = kCMVideoCodecType_HEVC
        default: throw Refused(errorDescription: "this phone's decoder is not fed with \(new.codec)")
        }
        let atom = type == kCMVideoCodecType_H264 ? "avcC" : "hvcC"
        let extensions = [kCMFormatDescriptionExtension_SampleDescriptionExtensionAtoms: [atom: new.record]] as CFDictionary
        var made: CMVideoFormatDescription?
        let status = CMVideoFormatDescriptionCreate(
            allocator: nil, codecType: type, width: Int32(new.width), height: Int32(new.height), extensions: extensions, formatDescriptionOut: &made
        )
        guard status == noErr, made != nil else { throw Refused(errorDescription: "the camera's parameters: \(status)") }
        format = made
        renderer.flush()
    }

    func decode(_ unit: Data, ptsUs: Int64, key: Bool) throws {
        if renderer.requiresFlushToResumeDecoding || renderer.status == .failed {
            // After the app was in the background, say: begins anew at a key frame.
            throw Refused(errorDescription: renderer.error?.localizedDescription ?? "the decoder was taken away")
        }
        renderer.enqueue(try sample(unit, ptsUs, key))
    }

    func flush(blank: Bool) { renderer.flush(removingDisplayedImage: blank, completionHandler: nil) }

    func release() { renderer.flush(removingDisplayedImage: true, completionHandler: nil) }

    private func sample(_ unit: Data, _ ptsUs: Int64, _ key: Bool) throws -> CMSampleBuffer {
        var block: CMBlockBuffer?
        var status = CMBlockBufferCreateWithMemoryBlock(
            allocator: nil, memoryBlock: nil, blockLength: unit.count, blockAllocator: nil, customBlockSource: nil, offsetToData: 0,
            dataLength: unit.count, flags: kCMBlockBufferAssureMemoryNowFlag, blockBufferOut: &block
        )
        guard status == kCMBlockBufferNoErr, let block else { throw Refused(errorDescription: "no memory: \(status)") }
        status = unit.withUnsafeBytes { bytes in
            guard let from = bytes.baseAddress else { return kCMBlockBufferBadLengthParameterErr }
            return CMBlockBufferReplaceDataBytes(with: from, blockBuffer: block, offsetIntoDestination: 0, dataLength: unit.count)
        }
        guard status == kCMBlockBufferNoErr else { throw Refused(errorDescription: "an empty picture: \(status)") }
        var timing = CMSampleTimingInfo(
            duration: .invalid, presentationTimeStamp: CMTime(value: ptsUs, timescale: 1_000_000), decodeTimeStamp: .invalid
        )
        var size = unit.count
        var made: CMSampleBuffer?
        status = CMSampleBufferCreateReady(
            allocator: nil, dataBuffer: block, formatDescription: format, sampleCount: 1, sampleTimingEntryCount: 1, sampleTimingArray: &timing,
            sampleSizeEntryCount: 1, sampleSizeArray: &size, sampleBufferOut: &made
        )
        guard status == noErr, let made else { throw Refused(errorDescription: "no sample: \(status)") }
        let all = CMSampleBufferGetSampleAttachmentsArray(made, createIfNecessary: true) as? [NSMutableDictionary]
        if let attachments = all?.first {
            attachments[kCMSampleAttachmentKey_DisplayImmediately as NSString] = true
            attachments[kCMSampleAttachmentKey_NotSync as NSString] = !key
        }
        return made
    }
}
