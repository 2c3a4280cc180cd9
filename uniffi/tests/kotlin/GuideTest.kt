// The guide's code (Guide.kt), run. That docs/guide/write-an-app.md holds the same text, test_guide.py looks.
package app.privet.tests

import app.privet.verifyFile
import guide
import java.io.File
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class GuideTest : AtHome() {
    @Test
    fun `the guide's code works`() = bounded {
        guide(house.offer(), folder)
        // The guide says itself whether it is proven, to whom knows the home's keys; here nobody does any more.
        assertTrue(verifyFile(File(folder, "clip.mp4").path, listOf()).framesChecked > 0u)
    }
}
